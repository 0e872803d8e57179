"""Writes docs/settings.md from the docstrings of the settings: `make docs`. A test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from bridge.settings import ClientSettings, Settings
from bridge.settings.rules import CLAIM_SOURCES

PAGE = Path(__file__).parents[1] / "settings.md"
INTRODUCTION = """\
# Settings of the bridge

Written by `make docs` from the code; change the docstrings in `bridge/settings/model.py` instead.

Each setting is an environment variable, or the same name without `PASSERELLE_` and in lower case in a TOML file. The
environment wins; an empty variable counts as absent. A name that is not listed here stops the start, and all faults
are listed at once.

The file is the one that `PASSERELLE_CONFIG` names; without that, `passerelle.toml` in the working folder; without
that, `/etc/passerelle/passerelle.toml`. Only one is read. The working folder's counts if it is your own or root's and
nobody else can change it. `passerelle init` writes it ([installing](install.md)). Relative names of files, wherever
they stand, begin at the working folder.

For `PASSERELLE_SECRET_KEY`, `PASSERELLE_DATABASE_URL`, `PASSERELLE_CAS_PROXY` and `PASSERELLE_METRICS_TOKEN` there is
a twin that ends in `_FILE` (`_file` in the file) and names a file that holds the value. `PASSERELLE_CLIENTS`,
`PASSERELLE_ATTRIBUTES`, `PASSERELLE_GROUP_MAP`, `PASSERELLE_CAS_LOGIN_PARAMETERS` and
`PASSERELLE_CAS_VALIDATE_PARAMETERS` are JSON in the environment and tables in the file.

```toml
issuer = "https://auth.example.org"
cas_url = "https://sso.example.org/cas"

[attributes]
groups = ["memberOf", "eduPersonAffiliation"]

[[clients]]
client_id = "wiki"
client_secret_hash = "sha256:4e9c…"
redirect_uris = ["https://wiki.example.org/oauth/callback"]
```
"""
CLAIMS = """
## Claims

What each claim is made of unless `attributes` says otherwise. A name stands for its other spellings too: any case,
`urn:oid:…`, `urn:mace:dir:attribute-def:…`, `sn` and `surname`, `eppn`. The scope `eduperson` releases the claims that
begin with `eduperson`, `schac` and `supann`; a claim of your own is named by a URI, is a list, and goes to the clients
whose `claims` name it. `passerelle claims try` shows what the rules make of a user.

| claim | attributes | value |
|---|---|---|"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_table(Settings, "PASSERELLE_{}"),
            CLAIMS,
            *_claims(),
            "\n## Clients\n\nOne `[[clients]]` table for each application.\n",
            *_table(ClientSettings, "{}"),
            "",
        ]
    )


def _claims() -> list[str]:
    return [
        f"| `{claim}` | {' '.join(f'`{name}`' for name in source.attributes) or '-'} | "
        f"{'list' if source.is_list else 'one'} |"
        for claim, source in CLAIM_SOURCES.items()
    ]


def _table(model: type[BaseModel], spelling: str) -> list[str]:
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        written = spelling.format(name.upper() if "PASSERELLE" in spelling else name)
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{written}` | {_default(field.get_default(call_default_factory=True))} | {meaning} |")
    return rows


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, dict):
        return "see Claims" if value else "-"
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in (None, "") else "-"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
