"""The settings: typed, frozen, and loaded once from the environment, a TOML file and secret files.

Sources in order of precedence: the environment (`PASSERELLE_ISSUER`), a secret file (`PASSERELLE_SECRET_KEY_FILE`), the
TOML file (`issuer = …`, `secret_key_file = …`), the default. An empty environment variable counts as absent, so that a
compose file can pass optional variables through. `config_files` selects the TOML file.

`model` defines the settings and `sources` collects them, because unknown names, unreadable files and invalid values
are reported in one list.
"""

from bridge.settings.client import ClientSettings
from bridge.settings.config_files import (
    CONFIG_NAME,
    FILE_NAME,
    SYSTEM_FOLDER,
    config_file_in_use,
    default_config_files,
    describe_read_error,
)
from bridge.settings.model import Settings
from bridge.settings.rules import ClaimRules
from bridge.settings.sources import files_with_secrets, load, setting_fault
from bridge.settings.urls import is_loopback

__all__ = [
    "CONFIG_NAME",
    "FILE_NAME",
    "SYSTEM_FOLDER",
    "ClaimRules",
    "ClientSettings",
    "Settings",
    "config_file_in_use",
    "default_config_files",
    "describe_read_error",
    "files_with_secrets",
    "is_loopback",
    "load",
    "setting_fault",
]
