"""Who is in the hub's database, read beside the running hub: names, groups, when they were last seen, what runs."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hub.administration.faults import AdministrationError

PEOPLE = """
SELECT users.name, users.admin, users.last_activity,
       (SELECT json_group_array(groups.name) FROM user_group_map
         JOIN groups ON groups.id = user_group_map.group_id WHERE user_group_map.user_id = users.id),
       (SELECT json_group_array(spawners.name) FROM spawners
         WHERE spawners.user_id = users.id AND spawners.server_id IS NOT NULL)
FROM users ORDER BY users.name
"""


@dataclass(frozen=True)
class Person:
    """A user of the hub."""

    name: str
    admin: bool
    groups: tuple[str, ...]
    last_seen: str
    """In UTC; empty if never."""
    servers: tuple[str, ...]
    """The names of those that run; the one that everybody has is called ''."""


def database() -> Path:
    """Where the hub of this deployment keeps it."""
    return Path(os.environ.get("HUB_DATA_DIR", "/data"), "jupyterhub.sqlite")


def people(path: Path) -> list[Person]:
    """Everybody, by name."""
    if not path.is_file():
        raise AdministrationError("the hub has no database yet: start it once (docker compose up -d).")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)) as hub:
            rows = hub.execute(PEOPLE).fetchall()
    except sqlite3.Error as error:
        raise AdministrationError(f"the hub's database cannot be read: {error}.") from None
    return [
        Person(
            name=name,
            admin=bool(admin),
            groups=tuple(sorted(json.loads(groups))),
            last_seen=f"{seen[:19]}Z".replace(" ", "T") if seen else "",
            servers=tuple(sorted(json.loads(servers))),
        )
        for name, admin, seen, groups, servers in rows
    ]
