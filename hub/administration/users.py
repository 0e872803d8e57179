"""`passerelle hub users`: who has what, how big, last seen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from hub.administration import output
from hub.administration.engine import Engine, Inside
from hub.administration.names import size, unescape
from hub.administration.users_db import Person, database, people
from hub.config.hub_toml import HubToml, bytes_of, read_declared

DECLARED = Path("/etc/passerelle/hub.toml")
SIZE = re.compile(r"\d+(?:\.\d+)?[KMGT]", re.I)


@click.command()
@click.option("--no-sizes", is_flag=True, help="Do not measure homes, which takes a while if they are big.")
@click.option("--json", "wants_json", is_flag=True, help="One JSON array, sizes in bytes.")
def users(no_sizes: bool, wants_json: bool) -> None:
    """Everybody whom the hub knows, and every home that is there, also of those whom it knows no more."""
    engine = Engine.open()
    homes = [one for one in engine.volumes() if one.kind == "home"]
    measured: dict[str, int | None] = {unescape(one.of) or one.of: None for one in homes}
    if homes and not no_sizes:
        for event in output.follow(engine.inside("sizes", {}, Inside(tuple(homes)))):
            of = str(event["place"]).removeprefix("home/")
            measured[unescape(of) or of] = int(event["bytes"])
    declared = read_declared(DECLARED if DECLARED.is_file() else None)
    rows = everybody(people(database()), measured, declared, usual=usual_quota(os.environ.get("LAB_HOME_QUOTA", "")))
    if wants_json:
        output.as_json(rows)
    elif rows:
        output.table([("NAME", "ADMIN", "GROUPS", "LAST SEEN", "RUNNING", "HOME", "QUOTA"), *map(_cells, rows)])
    else:
        click.echo("Nobody has signed in yet.")


def usual_quota(text: str) -> int | None:
    """What .env grants to everybody whose groups say nothing."""
    return bytes_of(text.strip()) if SIZE.fullmatch(text.strip()) else None


def everybody(
    known: Iterable[Person], homes: Mapping[str, int | None], declared: HubToml, *, usual: int | None = None
) -> list[dict[str, Any]]:
    """A row for each person, and for each home without one."""
    rows = [
        {
            "name": person.name,
            "known": True,
            "admin": person.admin,
            "groups": list(person.groups),
            "last_seen": person.last_seen or None,
            "running": list(person.servers),
            "has_home": person.name in homes,
            "home_bytes": homes.get(person.name),
            "quota_bytes": quota_of(person.groups, declared, usual),
        }
        for person in known
    ]
    names = {row["name"] for row in rows}
    nobody: dict[str, Any] = {
        "known": False,
        "admin": False,
        "groups": [],
        "last_seen": None,
        "running": [],
        "quota_bytes": None,
    }
    rows += [
        {"name": name, **nobody, "has_home": True, "home_bytes": count}
        for name, count in sorted(homes.items())
        if name not in names
    ]
    return rows


def quota_of(groups: Iterable[str], declared: HubToml, usual: int | None = None) -> int | None:
    """The most that a group of theirs grants."""
    return max((bytes_of(rules.quota) for rules in declared.rules_of(list(groups)) if rules.quota), default=usual)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    home = "none" if not row["has_home"] else "there" if row["home_bytes"] is None else size(row["home_bytes"])
    return (
        row["name"] if row["known"] else f"{row['name']} (not in the hub)",
        "admin" if row["admin"] else "",
        ", ".join(row["groups"]),
        row["last_seen"] or "never",
        ", ".join(name or "lab" for name in row["running"]),
        home,
        "" if row["quota_bytes"] is None else size(row["quota_bytes"]),
    )
