"""The settings: typed, frozen, read once, and refused with every fault at the same time.

The only reader of the environment, of the TOML file and of secret files. A value comes from, in this order:
the environment (`PASSERELLE_ISSUER`), the file named beside it (`PASSERELLE_SECRET_KEY_FILE`), the TOML file
(`issuer = …`, `secret_key_file = …`), the default. The TOML file is the one that `PASSERELLE_CONFIG` names, else
`passerelle.toml` in the working folder, else `/etc/passerelle/passerelle.toml`. An empty environment variable counts
as absent, so that a compose file can pass through what may not be set.

`model` says what there is, `sources` where it comes from, `places` which file that is. pydantic checks the values;
gathering them is done here, because a misspelt name, an unreadable file and a wrong value have to come out in one
list.
"""

from bridge.settings.client import ClientSettings
from bridge.settings.files import why_unreadable
from bridge.settings.model import Settings
from bridge.settings.places import CONFIG_NAME, FILE_NAME, SYSTEM_FOLDER, file_in_use, usual_places
from bridge.settings.rules import ClaimRules
from bridge.settings.sources import fault_of, files_with_secrets, load
from bridge.settings.urls import is_loopback

__all__ = [
    "CONFIG_NAME",
    "FILE_NAME",
    "SYSTEM_FOLDER",
    "ClaimRules",
    "ClientSettings",
    "Settings",
    "fault_of",
    "file_in_use",
    "files_with_secrets",
    "is_loopback",
    "load",
    "usual_places",
    "why_unreadable",
]
