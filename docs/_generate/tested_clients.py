"""Writes docs/clients/tested.md from docs/clients/tested.toml: `make docs`. A test compares the two."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parents[1]
DATA = HERE / "clients" / "tested.toml"
PAGE = HERE / "clients" / "tested.md"
STEPS = ("sign_in", "refresh", "logout", "told")
INTRODUCTION = """\
# Clients that were run against the bridge

Written by `make docs` from `tested.toml`, which says in its head what its fields mean.

Each of these signs somebody in who is in two hundred groups, over https with verification on, at a live bridge with a
real CAS server behind it, at each change of the code. *Logs out*: from the application over the bridge to CAS's own
session. *Is told*: the application ends its session when the bridge says that one is over, whoever ended it.

| client | version | used as | signs in | refreshes | logs out | is told | tests |
|---|---|---|---|---|---|---|---|"""


def rows() -> Mapping[str, Mapping[str, str]]:
    """What was run, by its name."""
    return tomllib.loads(DATA.read_text(encoding="utf-8"))


def page() -> str:
    """The whole page."""
    found = sorted(rows().values(), key=lambda row: (row["client"].lower(), row["used"]))
    return "\n".join([INTRODUCTION, *map(_line, found), ""])


def _line(row: Mapping[str, str]) -> str:
    steps = (row[step].removeprefix("no: ") if row[step].startswith("no: ") else "yes" for step in STEPS)
    by_recipe = f", by [its recipe]({row['recipe']}.md)" if "recipe" in row else ""
    cells = (row["client"], row["version"], row["used"] + by_recipe, *steps, f"`tests/clients/{row['file']}`")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
