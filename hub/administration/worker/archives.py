"""Archives of the homes of users who left: snapshots that expire after the retention time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.administration import AdministrationError
from hub.administration.volume_names import unescape
from hub.administration.worker import repository, runtime
from hub.administration.worker.manifest import Manifest, current_time
from hub.administration.worker.runtime import emit

ARCHIVE = "archive"


def archive_home(project: str, home: str, days: int) -> dict[str, Any]:
    """Write a home into the repository of archives, and read it again.

    Args:
        project: The Compose project.
        home: The escaped name of the user.
        days: The retention of the archive.
    """
    repository.init_repository()
    folder, now = runtime.VOLUMES / "home" / home, current_time()
    until = (now + timedelta(days=days)).isoformat()
    Manifest(project=project, taken=now, places=(f"home/{home}",)).write()
    tags = [ARCHIVE, f"home={home}", f"until={until}"]
    result = repository.create_snapshot([runtime.STAGING, folder], project=project, tags=tags)
    if result["unread"]:
        repository.forget(result["snapshot"])
        path = result["unread"][0].removeprefix(f"{folder}/")
        raise AdministrationError(f"the home could not be read completely ({path}), and nothing was deleted.")
    repository.verify_snapshot(result["snapshot"])
    return {"archive": result["snapshot"], "until": until, "bytes": result["bytes"]}


def list_archives() -> list[dict[str, Any]]:
    """Return the archives; the one that expires first comes first."""
    found = []
    for snapshot in repository.snapshots(ARCHIVE):
        tags = dict(tag.partition("=")[::2] for tag in snapshot.tags)
        try:
            until = datetime.fromisoformat(tags["until"])
            expired = until <= current_time()
        except (KeyError, ValueError, TypeError):  # also a time without its zone
            emit("message", f"note: archive {snapshot.id} does not say when it expires: it is kept.")
            continue
        home = tags.get("home", "")
        archive = {
            "archive": snapshot.id,
            "user": unescape(home) or home,
            "bytes": snapshot.size,
            "archived": snapshot.time,
            "until": until.isoformat(),
            "expired": expired,
        }
        found.append((until, archive))
    return [archive for _, archive in sorted(found, key=lambda one: one[0])]


def purge_expired() -> list[dict[str, Any]]:
    """Delete the archives that have expired, and return them."""
    expired = [one for one in list_archives() if one["expired"]]
    if expired:
        repository.init_repository()
        repository.forget(*(one["archive"] for one in expired))
    return expired
