"""Writes docs/settings.md from the docstrings of the settings: `make docs`. A test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from bridge.settings import ClientSettings, Settings

PAGE = Path(__file__).with_name("settings.md")
INTRODUCTION = """\
# Settings of the bridge

Written by `make docs` from the code; change the docstrings in `bridge/settings/model.py` instead.

Each setting is an environment variable, or the same name without `PASSERELLE_` and in lower case in the TOML file that
`PASSERELLE_CONFIG` names. The environment wins; an empty variable counts as absent. A name that is not listed here
stops the start, and all faults are listed at once. For `PASSERELLE_SECRET_KEY` and `PASSERELLE_DATABASE_URL` there is
a twin that ends in `_FILE` and names a file that holds the value. `PASSERELLE_CLIENTS` and `PASSERELLE_ATTRIBUTES`
are JSON in the environment and tables in the file.

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


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_table(Settings, "PASSERELLE_{}"),
            "\n## Clients\n\nOne `[[clients]]` table for each application.\n",
            *_table(ClientSettings, "{}"),
            "",
        ]
    )


def _table(model: type[BaseModel], spelling: str) -> list[str]:
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        written = spelling.format(name.upper() if "PASSERELLE" in spelling else name)
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{written}` | {_default(field.default)} | {meaning} |")
    return rows


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, dict):
        return "; ".join(f"`{claim}`: {', '.join(names)}" for claim, names in value.items())
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value not in (None, "") else "-"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
