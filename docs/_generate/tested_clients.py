"""Generator of docs/clients/tested.md from docs/clients/tested.toml (`make docs`). A test compares the two."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parents[1]
DATA = HERE / "clients" / "tested.toml"
PAGE = HERE / "clients" / "tested.md"
STEPS = ("sign_in", "refresh", "logout", "backchannel")
INTRODUCTION = """\
# Tested clients

Written by `make docs` from `tested.toml`, whose header documents the fields.

After each change of the code, every client signs in a user with two hundred groups. It connects over https, with
certificate verification, to a running bridge with a real CAS server. *Logout* covers the application, the bridge and
CAS. *Back-channel logout* means that the application ends its session at the bridge's request.

| client | version | used as | sign-in | refresh | logout | back-channel logout | tests |
|---|---|---|---|---|---|---|---|"""


def rows() -> Mapping[str, Mapping[str, str]]:
    """Return the tested clients by name."""
    return tomllib.loads(DATA.read_text(encoding="utf-8"))


def page() -> str:
    """Return the page."""
    found = sorted(rows().values(), key=lambda row: (row["client"].lower(), row["used"]))
    return "\n".join([INTRODUCTION, *map(_line, found), ""])


def _line(row: Mapping[str, str]) -> str:
    steps = (row[step].removeprefix("no: ") if row[step].startswith("no: ") else "yes" for step in STEPS)
    by_recipe = f" ([recipe]({row['recipe']}.md))" if "recipe" in row else ""
    cells = (row["client"], row["version"], row["used"] + by_recipe, *steps, f"`tests/clients/{row['file']}`")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
