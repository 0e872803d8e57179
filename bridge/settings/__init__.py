"""The settings: typed, frozen, read once, and refused with every fault at the same time.

The only reader of the environment, of the TOML file and of secret files. A value comes from, in this order:
the environment (`PASSERELLE_ISSUER`), the file named beside it (`PASSERELLE_SECRET_KEY_FILE`), the TOML file
(`issuer = …`, `secret_key_file = …`), the default. The TOML file is the one that `PASSERELLE_CONFIG` names, else
`passerelle.toml` in the working folder, else `/etc/passerelle/passerelle.toml`. An empty environment variable counts
as absent, so that a compose file can pass through what may not be set.

`model` says what there is, `sources` where it comes from, `config_files` which file that is. pydantic checks the values;
gathering them is done here, because a misspelt name, an unreadable file and a wrong value have to come out in one
list.
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
