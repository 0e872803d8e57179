"""Restores of a backup into the mounted volumes.

Nothing is written before the whole snapshot has been read and verified. Volumes are marked meanwhile, so that no
service or lab starts on a part of a restore, and an interrupted one continues when it is run again. Marks are where no
user can write: in volumes of services. Users' volumes are emptied first, so that restic meets nothing of a user's.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

from hub.administration import AdministrationError
from hub.administration.worker import databases, repository, runtime
from hub.administration.worker.backup import ARCHIVE, DATABASES, FULL, allocated_bytes
from hub.administration.worker.manifest import DatabaseCopy, Manifest, read_manifest
from hub.administration.worker.settings import (
    changed_settings,
    check_no_demo_users,
    check_project,
    saved_settings,
)
from hub.config.settings import RESTORE_MARK, RESTORE_MARKS
from hub.storage.quota import format_size
from passerelle_common.atomic_write import atomic_write

HUB_DATABASE = "service/hub-data"
UNSHARED = ("ext2/ext3", "tmpfs")  # ext4 too: file systems whose files never share blocks
EMPTIED = "emptied"  # line in a marker: the volume contains nothing but restored files
RESERVED_BYTES = 64 << 20  # stay free on each disk


def describe(project: str, snapshot: str, only_databases: bool, home: str) -> dict[str, Any]:
    """Return what a backup contains, and what a restore of it would overwrite in this project."""
    check_project(project)
    chosen = find_snapshot(snapshot, only_databases=only_databases, home=home)
    manifest = read_manifest(chosen.id)
    saved = saved_settings(chosen.id, manifest)
    if not home:
        check_no_demo_users(saved, manifest)
    places = _places(manifest, only_databases=only_databases, home=home)
    folders = {place: runtime.VOLUMES / place for place in places}
    overwritten = [
        {"place": place, "files": len(names), "bytes": allocated_bytes(folder)}
        for place, folder in folders.items()
        if (names := _foreign_contents(place, chosen.id))
    ]
    _check_space(chosen.id, manifest, places, only_databases=only_databases)
    return {
        "snapshot": chosen.id,
        "project": manifest.project,
        "taken": manifest.taken.isoformat(),
        "places": places,
        "overwritten": overwritten,
        "settings": changed_settings(saved),
    }


def find_snapshot(wanted: str, *, only_databases: bool = False, home: str = "") -> repository.Snapshot:
    """Return the snapshot whose id begins so, or the newest that fits.

    A backup of databases alone fits with `only_databases`, an archive if `home` is its user's escaped name.
    """
    tags = [FULL, *([DATABASES] if only_databases or wanted else []), *([ARCHIVE] if home else [])]
    found = repository.snapshots(*tags)
    if wanted:
        found = [one for one in found if one.id.startswith(wanted[: len(one.id)])]
    elif home:
        found = [one for one in found if ARCHIVE not in one.tags or f"home={home}" in one.tags]
    if not found:
        raise AdministrationError(
            f"there is no backup {wanted} in that folder: `passerelle hub backup FOLDER --list` lists them."
            if wanted
            else "there is no such backup in that folder: name the folder that `passerelle hub backup` wrote."
        )
    return found[-1]


def restore(
    snapshot: str, jupyterhub: str, *, force: bool = False, only_databases: bool = False, home: str = ""
) -> list[str]:
    """Restore a snapshot, and return users' files that could not be; run again after an interruption, it continues.

    Args:
        snapshot: Its id.
        jupyterhub: The version of JupyterHub in this checkout.
        force: Overwrite existing data.
        only_databases: Leave out volumes.
        home: The escaped name of the user whose home alone is restored.
    """
    manifest = read_manifest(snapshot)
    places = _places(manifest, only_databases=only_databases, home=home)
    if not places:
        raise AdministrationError(
            "that backup does not contain it: `passerelle hub backup FOLDER --list` lists others."
        )
    if not home:
        _check_manifest(manifest, jupyterhub, only_databases=only_databases)
    copies = [copy for copy in manifest.databases if copy.place in places]
    folders = [] if only_databases else [runtime.VOLUMES / place for place in places]
    if not force and (used := [place for place in places if _foreign_contents(place, snapshot)]):
        raise AdministrationError(f"{used[0]} is not empty: nothing was written.")
    _check_space(snapshot, manifest, places, only_databases=only_databases)
    repository.verify_snapshot(snapshot, str(runtime.STAGING) if only_databases else "/")
    # The hub looks at its own volume only, so that one is marked first and unmarked last.
    order = sorted(places, key=lambda place: place != HUB_DATABASE)
    for place in order:
        (runtime.VOLUMES / place).mkdir(parents=True, exist_ok=True)
        if _mark_lines(place)[:1] != [snapshot]:
            _write_mark(place, snapshot)
    for place in places if folders else ():
        if EMPTIED not in _mark_lines(place):  # after an interruption the content is already restored files
            _empty(place)
            _write_mark(place, snapshot, EMPTIED)
    tolerated = [folder for folder in folders if folder.parent.name != "service"]
    folders += [runtime.STAGING / "database"] if copies else []
    unrestored = repository.restore_snapshot(snapshot, folders, tolerated=tolerated)
    for copy in copies:
        _put_database(runtime.VOLUMES / copy.place, copy)
    # All at the very end: a second run would otherwise take a finished volume for other data.
    for place in reversed(order):
        _mark_path(place).unlink(missing_ok=True)
    return [path.removeprefix(f"{runtime.VOLUMES}/") for path in unrestored]


def extract_settings(snapshot: str) -> list[str]:
    """Write the settings files of a backup into the output folder, and return their names; overwrite none."""
    chosen = find_snapshot(snapshot, only_databases=True)
    files = read_manifest(chosen.id).settings
    if existing := next((name for name in files if os.path.lexists(runtime.OUTPUT / name)), None):
        raise AdministrationError(f"{existing} exists in that directory and nothing was written: name a new directory.")
    repository.extract_folder(chosen.id, runtime.STAGING / "settings", runtime.OUTPUT)
    return list(files)


def _places(manifest: Manifest, *, only_databases: bool, home: str) -> list[str]:
    """Return the places that a restore writes to."""
    if home:
        return [place for place in manifest.places if place == f"home/{home}"]
    return sorted({copy.place for copy in manifest.databases}) if only_databases else list(manifest.places)


def _check_manifest(manifest: Manifest, jupyterhub: str, *, only_databases: bool) -> None:
    """Raise unless this checkout can run what the backup contains."""
    theirs = manifest.versions.get("jupyterhub", "0")
    if Version(theirs) > Version(jupyterhub):
        raise AdministrationError(
            f"that backup was made with JupyterHub {theirs}; this checkout has {jupyterhub}, which cannot read its "
            "database: use the checkout that made the backup, or a newer one."
        )
    if manifest.only_databases and not only_databases:
        raise AdministrationError("that backup contains databases only: add --only-databases.")


def _check_space(snapshot: str, manifest: Manifest, places: Sequence[str], *, only_databases: bool) -> None:
    """Raise unless what a restore writes fits on each disk; volumes are counted as emptied, databases twice."""
    databases = manifest.sizes.get("databases", 0) if any(one.place in places for one in manifest.databases) else 0
    parts = [(runtime.STAGING.parent, databases)]
    for place in places:
        folder = runtime.VOLUMES / place
        existing = folder if folder.is_dir() else runtime.STAGING.parent  # not created yet
        size = databases if only_databases else manifest.sizes.get(place, 0) - _available_bytes(place, snapshot)
        parts.append((existing, size))
    disks = {folder.stat().st_dev: folder for folder, _ in parts}
    for device, disk in disks.items():
        needed = sum(size for folder, size in parts if folder.stat().st_dev == device) + RESERVED_BYTES
        if needed > (free := shutil.disk_usage(disk).free):
            raise AdministrationError(
                f"the disk of the volumes has {format_size(free)} free and {format_size(needed)} are needed: free "
                "space there. Nothing was written."
            )


def _available_bytes(place: str, snapshot: str) -> int:
    """Return the bytes in a volume that a restore keeps or surely frees: elsewhere files can share blocks."""
    folder = runtime.VOLUMES / place
    command = ["stat", "--file-system", "--format=%T", str(folder)]
    kind = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  no shell
    restored = _mark_lines(place) == [snapshot, EMPTIED]
    return allocated_bytes(folder) if restored or kind in UNSHARED else 0


def _put_database(folder: Path, copy: DatabaseCopy) -> None:
    target = folder / copy.path
    if any(parent.is_symlink() for parent in target.parents if parent.is_relative_to(folder)):
        raise AdministrationError(f"{copy.path} lies behind a link in its volume: remove the link.")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = runtime.STAGING / copy.file
    if copy.place == HUB_DATABASE:
        databases.forget_labs(draft)
    for end in databases.COMPANIONS:
        target.with_name(target.name + end).unlink(missing_ok=True)
    with draft.open("rb") as stream, atomic_write(target, mode=copy.mode, owner=copy.owner) as new:
        shutil.copyfileobj(stream, new)


def _mark_path(place: str) -> Path:
    if place.startswith("service/"):
        return runtime.VOLUMES / place / RESTORE_MARK
    return runtime.VOLUMES / HUB_DATABASE / RESTORE_MARKS / place


def _write_mark(place: str, *lines: str) -> None:
    mark = _mark_path(place)
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic_write(mark) as stream:
        stream.write("\n".join(lines).encode())


def _mark_lines(place: str) -> list[str]:
    """Return the snapshot of an unfinished restore, and `EMPTIED`."""
    mark = _mark_path(place)
    if mark.is_symlink() or not mark.is_file():
        return []
    return mark.read_text(encoding="ascii", errors="replace").split()


def _foreign_contents(place: str, snapshot: str) -> list[str]:
    """Return what a volume contains, unless a restore of this snapshot has emptied it before."""
    folder = runtime.VOLUMES / place
    if not folder.is_dir() or _mark_lines(place) == [snapshot, EMPTIED]:
        return []
    marks = (RESTORE_MARK, RESTORE_MARKS) if place.startswith("service/") else ()
    return sorted(path.name for path in folder.iterdir() if path.name not in marks and not _is_lost_and_found(path))


def _is_lost_and_found(path: Path) -> bool:
    """Return whether a path is the empty folder that each new file system has."""
    return path.name == "lost+found" and path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _empty(place: str) -> None:
    """Delete everything in a volume but a service's marks; links are not followed, and any depth is handled."""
    folder = runtime.VOLUMES / place
    kept = ["!", "-path", f"{folder}/{RESTORE_MARK}*"] if place.startswith("service/") else []
    command = ["find", str(folder), "-xdev", "-mindepth", "1", *kept, "-delete"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603  no shell
    if done.returncode:
        raise AdministrationError(f"{place} cannot be emptied: {done.stderr.splitlines()[0]}.")
