"""The command `passerelle hub users`: users of the hub's database, with homes and quotas."""

import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from hub.administration import AdministrationError, output
from hub.administration.engine import Engine
from hub.administration.volume_names import unescape
from hub.administration.worker_container import WorkerMounts, run_worker
from hub.config.hub_toml import HubToml, read_hub_toml
from hub.storage.quota import format_size, limit_of

HUB_TOML = Path("/etc/passerelle/hub.toml")
SIZE = re.compile(r"\d+(?:\.\d+)?[KMGT]", re.I)
QUERY = """
SELECT users.name, users.admin, users.last_activity,
       (SELECT json_group_array(groups.name) FROM user_group_map
         JOIN groups ON groups.id = user_group_map.group_id WHERE user_group_map.user_id = users.id),
       (SELECT json_group_array(spawners.name) FROM spawners
         WHERE spawners.user_id = users.id AND spawners.server_id IS NOT NULL)
FROM users ORDER BY users.name
"""


@click.command()
@click.option("--no-sizes", is_flag=True, help="Do not measure homes, which takes long if they are large.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with sizes in bytes.")
def users(no_sizes: bool, as_json: bool) -> None:
    """List the hub's users and all homes, including homes of deleted users."""
    engine = Engine.open()
    homes = engine.volumes("home")
    sizes: dict[str, int | None] = {unescape(home.of) or home.of: None for home in homes}
    if homes and not no_sizes:
        for row in run_worker(engine, "sizes", WorkerMounts(tuple(homes))):
            escaped = row["place"].removeprefix("home/")
            sizes[unescape(escaped) or escaped] = row["bytes"]
    declared = read_hub_toml(HUB_TOML if HUB_TOML.is_file() else None)
    default = os.environ.get("LAB_HOME_QUOTA", "").strip()
    rows = user_rows(read_users(database_path()), sizes, declared, default=default if SIZE.fullmatch(default) else "")
    if rows or as_json:
        output.print_rows(rows, as_json, ("NAME", "ADMIN", "GROUPS", "LAST SEEN", "RUNNING", "HOME", "QUOTA"), _cells)
    else:
        click.echo("No user has signed in yet.")


def database_path() -> Path:
    """Return the path of the hub's database."""
    return Path(os.environ.get("HUB_DATA_DIR", "/data"), "jupyterhub.sqlite")


def read_users(path: Path) -> list[dict[str, Any]]:
    """Read all users from the hub's database, by name.

    Returns:
        Their rows without homes and quotas; `last_seen` is UTC or None, `running` labs have the name '' by default.
    """
    if not path.is_file():
        raise AdministrationError("the hub has no database yet: start it once (docker compose up -d).")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)) as hub:
            rows = hub.execute(QUERY).fetchall()
    except sqlite3.Error as error:
        raise AdministrationError(f"the hub's database cannot be read: {error}.") from None
    return [
        {
            "name": name,
            "known": True,
            "admin": bool(admin),
            "groups": sorted(json.loads(groups)),
            "last_seen": f"{seen[:19]}Z".replace(" ", "T") if seen else None,
            "running": sorted(json.loads(servers)),
        }
        for name, admin, seen, groups, servers in rows
    ]


def user_rows(
    known: Sequence[dict[str, Any]], homes: Mapping[str, int | None], declared: HubToml, *, default: str = ""
) -> list[dict[str, Any]]:
    """Return a row for each user, and for each home without one; `homes` are sizes in bytes, None if not measured."""
    unknown = {"known": False, "admin": False, "groups": [], "last_seen": None, "running": []}
    missing = [{"name": name, **unknown} for name in sorted({*homes} - {user["name"] for user in known})]
    return [
        {
            **user,
            "has_home": user["name"] in homes,
            "home_bytes": homes.get(user["name"]),
            "quota_bytes": limit_of(user["groups"], declared, default) if user["known"] else None,
        }
        for user in (*known, *missing)
    ]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    home = "none" if not row["has_home"] else "exists" if row["home_bytes"] is None else format_size(row["home_bytes"])
    return (
        row["name"] if row["known"] else f"{row['name']} (not in the hub)",
        "admin" if row["admin"] else "",
        ", ".join(row["groups"]),
        row["last_seen"] or "never",
        ", ".join(name or "lab" for name in row["running"]),
        home,
        "" if row["quota_bytes"] is None else format_size(row["quota_bytes"]),
    )
