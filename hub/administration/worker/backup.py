"""Backups of a deployment, and archives of the homes of users who left: each is one restic snapshot.

Databases are copied first, so that the owner of every home in a backup is in its database or signs in again.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.administration import AdministrationError
from hub.administration.volume_names import KINDS, unescape
from hub.administration.worker import databases, repository, runtime
from hub.administration.worker.manifest import DatabaseCopy, Manifest, current_time
from hub.administration.worker.runtime import emit, mounted_volumes, place_of
from hub.administration.worker.settings import check_project, copy_settings

FULL, DATABASES, ARCHIVE, INCOMPLETE = "full", "databases", "archive", "incomplete"
"""Tags of snapshots."""


def back_up(
    project: str,
    versions: dict[str, str],
    *,
    checkout: str = "",
    exclude: Sequence[str] = (),
    only_databases: bool = False,
    keep: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Write a snapshot, check the repository, and remove snapshots that are no longer kept.

    Args:
        project: The Compose project.
        versions: Versions of JupyterHub and of the images.
        checkout: The checkout's folder on the machine; settings may name files by absolute paths.
        exclude: restic's patterns for homes, courses and the public folder.
        only_databases: Leave out volumes.
        keep: Numbers of daily, weekly and monthly snapshots to keep; all by default.
    """
    check_project(project)
    _check_not_empty(project, only_databases)
    repository.init_repository()
    if others := {one.project for one in repository.snapshots(FULL, DATABASES)} - {project}:
        raise AdministrationError(
            f"that folder contains backups of {', '.join(sorted(others))}: name another one for {project}."
        )
    volumes = [] if only_databases else mounted_volumes(*KINDS)
    copies = [copy for volume in mounted_volumes("service") for copy in _copy_databases(volume)]
    Manifest(
        project=project,
        taken=current_time(),
        versions=versions,
        excluded=tuple(exclude),
        only_databases=only_databases,
        places=tuple(sorted({copy.place for copy in copies} | {place_of(volume) for volume in volumes})),
        databases=tuple(copies),
        settings=copy_settings(checkout),
        sizes={place_of(volume): allocated_bytes(volume, exclude) for volume in volumes}
        | {"databases": allocated_bytes(runtime.STAGING / "database")},
    ).write()
    result = repository.create_snapshot(
        [runtime.STAGING, *volumes],
        project=project,
        tags=[DATABASES if only_databases else FULL],
        exclude=[*_database_files(copies), *_user_patterns(exclude)],
    )
    if result["unread"]:
        result["snapshot"] = repository.add_tag(result["snapshot"], INCOMPLETE)
    # Checked first, because older backups are the only copy if this one is damaged.
    repository.check_repository()
    if keep:
        limits = [f"--keep-{period}={count}" for period, count in keep.items() if count]
        # By tags, because an incomplete backup must not take the place of a complete one.
        repository.forget("--tag", FULL, "--host", project, "--group-by", "host,tags", *limits)
    return result | {"unread": [path.removeprefix(f"{runtime.VOLUMES}/") for path in result["unread"]]}


def list_backups() -> list[dict[str, Any]]:
    """Return the backups in the repository, the oldest first."""
    return [
        {"snapshot": it.id, "taken": it.time, "project": it.project, "content": " ".join(it.tags), "bytes": it.size}
        for it in repository.snapshots(FULL, DATABASES)
    ]


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
    place = place_of(folder)
    Manifest(project=project, taken=now, places=(place,), sizes={place: allocated_bytes(folder)}).write()
    tags = [ARCHIVE, f"home={home}", f"until={until}"]
    result = repository.create_snapshot([runtime.STAGING, folder], project=project, tags=tags)
    if result["unread"]:
        repository.forget(result["snapshot"])
        path = result["unread"][0].removeprefix(f"{folder}/")
        raise AdministrationError(
            f"the home could not be read completely ({path}), and nothing was deleted. Delete this path in the volume, "
            "or move it somewhere else, then run this again."
        )
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


def volume_sizes() -> list[dict[str, Any]]:
    """Return the size of each mounted volume."""
    return [{"place": place_of(folder), "bytes": allocated_bytes(folder)} for folder in mounted_volumes(*KINDS)]


def allocated_bytes(folder: Path, exclude: Sequence[str] = ()) -> int:
    """Return the bytes that a folder takes on its disk; unreadable parts count as 0."""
    patterns = [f"--exclude={pattern.strip('/')}" for pattern in exclude]
    command = ["du", "--summarize", "--block-size=1", "--one-file-system", *patterns, str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  no shell
    first = done.stdout.split(b"\t", 1)[0]
    return int(first) if first.isdigit() else 0


def _check_not_empty(project: str, only_databases: bool) -> None:
    """Raise if the project was never used: a nightly backup of the wrong project would be noticed too late."""
    place = "service" if only_databases else "service/hub-data"
    if not databases.find_databases(runtime.VOLUMES / place) and not mounted_volumes("home"):
        raise AdministrationError(
            f"the project {project} has neither a hub database nor a home, so it is probably not the one you want: run "
            "this in the folder of your .env (deployment/site), and start the deployment once before."
        )


def _copy_databases(volume: Path) -> list[DatabaseCopy]:
    copies = []
    for number, source in enumerate(databases.find_databases(volume)):
        path = str(source.relative_to(volume))
        file = f"database/{volume.name}/{number}-{re.sub(r'[^A-Za-z0-9_.-]', '_', source.name)}"
        emit("message", f"database {volume.name}/{path}")
        databases.copy_database(source, runtime.STAGING / file)
        status = source.stat()
        owner, mode = (status.st_uid, status.st_gid), status.st_mode & 0o7777
        copies.append(DatabaseCopy(file=file, place=place_of(volume), path=path, owner=owner, mode=mode))
    return copies


def _database_files(copies: Sequence[DatabaseCopy]) -> list[str]:
    """Return patterns for the live databases, whose copies are in the staging folder."""
    live = (f"{runtime.VOLUMES / copy.place / copy.path}" for copy in copies)
    return [repository.literal_pattern(f"{path}{end}") for path in live for end in ("", *databases.COMPANIONS)]


def _user_patterns(patterns: Sequence[str]) -> list[str]:
    """Apply the administrator's patterns to users' volumes only, never to what services store."""
    roots = [f"{runtime.VOLUMES}/{kind}/*/**" for kind in KINDS if kind != "service"]
    return [f"{root}/{pattern.strip('/')}" for root in roots for pattern in patterns]
