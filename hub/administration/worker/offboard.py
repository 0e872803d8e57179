"""Archives of the homes of users who left: snapshots that expire after the retention time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.administration import AdministrationError
from hub.administration.volume_names import unescape
from hub.administration.worker import repository, runtime
from hub.administration.worker.manifest import Manifest, current_time
from hub.administration.worker.runtime import emit

ARCHIVE = "archive"


@dataclass(frozen=True)
class ArchiveRequest:
    """The home to archive, by its user's escaped name, and the retention in days."""

    project: str
    home: str
    days: int


def archive_home(request: ArchiveRequest) -> None:
    """Write a home into the repository of archives, and read it again."""
    repository.init_repository()
    place = f"home/{request.home}"
    folder, now = runtime.VOLUMES / place, current_time()
    until = now + timedelta(days=request.days)
    runtime.STAGING.mkdir(parents=True, exist_ok=True)
    Manifest(project=request.project, taken=now, places=(place,)).write()
    tags = [ARCHIVE, f"home={request.home}", f"until={until.isoformat()}"]
    result = repository.create_snapshot([runtime.STAGING, folder], project=request.project, tags=tags)
    if result.unread:
        repository.forget(result.snapshot)
        path = result.unread[0].removeprefix(f"{folder}/")
        raise AdministrationError(f"the home could not be read completely ({path}), and nothing was deleted.")
    repository.verify_snapshot(result.snapshot)
    emit("result", archive=result.snapshot, until=until.isoformat(), bytes=result.bytes)


def emit_archives() -> None:
    """Report the archives; the one that expires first comes first."""
    for snapshot, home, until in _archives():
        _emit(snapshot, home, until)


def purge_expired() -> None:
    """Delete the archives that have expired, and report them."""
    expired = [one for one in _archives() if one[2] <= current_time()]
    if expired:
        repository.init_repository()
        repository.forget(*(snapshot.id for snapshot, _, _ in expired))
    for snapshot, home, until in expired:
        _emit(snapshot, home, until)


def _emit(snapshot: repository.Snapshot, home: str, until: datetime) -> None:
    emit(
        "archive",
        archive=snapshot.id,
        user=unescape(home) or home,
        bytes=snapshot.size,
        archived=snapshot.time,
        until=until.isoformat(),
        expired=until <= current_time(),
    )


def _archives() -> list[tuple[repository.Snapshot, str, datetime]]:
    return sorted(_parse_archives(), key=lambda one: one[2])


def _parse_archives() -> Iterator[tuple[repository.Snapshot, str, datetime]]:
    for snapshot in repository.snapshots(ARCHIVE):
        tags = dict(tag.partition("=")[::2] for tag in snapshot.tags)
        try:
            until = datetime.fromisoformat(tags["until"])
            if until.tzinfo is None:
                raise ValueError("no time zone")
        except (KeyError, ValueError):
            emit("note", text=f"archive {snapshot.id} does not say when it expires: it is kept.")
            continue
        yield snapshot, tags.get("home", ""), until
