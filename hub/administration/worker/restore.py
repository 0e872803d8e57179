"""Restores of a backup into the mounted volumes.

Nothing is written before the whole snapshot has been read and verified. Volumes are marked meanwhile, so that no
service starts on a part of a restore, and an interrupted one continues when it is run again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.administration import AdministrationError
from hub.administration.worker import databases, repository, runtime
from hub.administration.worker.backup import DATABASES, FULL, allocated_bytes
from hub.administration.worker.manifest import DatabaseCopy, Manifest, read_manifest
from hub.administration.worker.offboard import ARCHIVE
from hub.administration.worker.runtime import emit
from hub.administration.worker.settings import changed_settings, check_no_demo_users, check_project
from hub.config.restore_marker import MARK
from hub.storage.quota import format_size

HUB_DATABASE = "service/hub-data"
EMPTIED = "emptied"  # line in a marker: the volume contains nothing but restored files
KEPT_NAMES = (MARK, "lost+found")


@dataclass(frozen=True)
class RestoreRequest:
    """The options of a restore; `home` is the escaped name of a user whose home alone is restored."""

    snapshot: str
    jupyterhub: str
    force: bool = False
    only_databases: bool = False
    home: str = ""

    def places(self, manifest: Manifest) -> list[str]:
        """Return the places that this restore writes to."""
        if self.home:
            return [place for place in manifest.places if place == f"home/{self.home}"]
        if self.only_databases:
            return sorted({copy.place for copy in manifest.databases})
        return list(manifest.places)


def describe(project: str, snapshot: str, only_databases: bool, home: str) -> None:
    """Report what a backup contains, and what a restore of it would overwrite in this project."""
    check_project(project)
    chosen = find_snapshot(snapshot, only_databases=only_databases, home=home)
    manifest = read_manifest(chosen.id)
    if not home:
        check_no_demo_users(chosen.id, manifest)
    places = RestoreRequest(chosen.id, "", only_databases=only_databases, home=home).places(manifest)
    overwritten = []
    for place in places:
        folder = runtime.VOLUMES / place
        if folder.is_dir() and not _is_marked(folder, chosen.id) and (names := _contents(folder)):
            overwritten.append({"place": place, "files": len(names), "bytes": allocated_bytes(folder)})
    free = shutil.disk_usage(runtime.STAGING.parent).free
    if chosen.size > free and not only_databases and not home:
        emit("note", text=f"the backup has {format_size(chosen.size)}, and {format_size(free)} are free on the disk.")
    emit(
        "backup",
        snapshot=chosen.id,
        project=manifest.project,
        taken=manifest.taken.isoformat(),
        versions=manifest.versions,
        places=places,
        bytes=chosen.size,
        overwritten=overwritten,
        settings=changed_settings(chosen.id, manifest),
    )


def find_snapshot(wanted: str, *, only_databases: bool = False, home: str = "") -> repository.Snapshot:
    """Return a snapshot of the repository.

    Args:
        wanted: The beginning of its id; empty for the newest one that fits.
        only_databases: Whether a backup of databases alone fits too.
        home: The escaped name of a user; an archive of their home then fits too.
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


def restore(request: RestoreRequest) -> None:
    """Restore a snapshot; run again after an interruption, it continues."""
    manifest = read_manifest(request.snapshot)
    check_manifest(manifest, request)
    places = request.places(manifest)
    copies = [copy for copy in manifest.databases if copy.place in places]
    folders = [] if request.only_databases else [runtime.VOLUMES / place for place in places]
    if not request.force:
        for place in places:
            _check_free(runtime.VOLUMES / place, request.snapshot)
    repository.verify_snapshot(request.snapshot, str(runtime.STAGING) if request.only_databases else "/")
    # The hub looks at its own volume only, so that one is marked first and unmarked last.
    order = sorted(places, key=lambda place: place != HUB_DATABASE)
    for place in order:
        _mark(runtime.VOLUMES / place, request.snapshot)
    for folder in folders:
        _empty(folder)
    repository.restore_snapshot(request.snapshot, [*folders, *([runtime.STAGING / "database"] if copies else [])])
    for copy in copies:
        _put_database(runtime.VOLUMES / copy.place, copy)
    # All at the very end: a second run would otherwise take a finished volume for other data.
    for place in reversed(order):
        (runtime.VOLUMES / place / MARK).unlink(missing_ok=True)
    emit("result", places=places)


def extract_settings(snapshot: str) -> None:
    """Write the settings files of a backup into the output folder; never overwrite a file there."""
    chosen = find_snapshot(snapshot, only_databases=True)
    files = read_manifest(chosen.id).settings
    if existing := next((name for name in files if os.path.lexists(runtime.OUTPUT / name)), None):
        raise AdministrationError(f"{existing} exists in that directory and nothing was written: name a new directory.")
    repository.extract_folder(chosen.id, runtime.STAGING / "settings", runtime.OUTPUT)
    emit("result", snapshot=chosen.id, files=list(files))


def check_manifest(manifest: Manifest, request: RestoreRequest) -> None:
    """Raise unless this checkout can run what the backup contains."""
    if not request.places(manifest):
        raise AdministrationError(
            "that backup does not contain it: `passerelle hub backup FOLDER --list` lists others."
        )
    if request.home:
        return
    theirs = manifest.versions.get("jupyterhub", "0")
    if _version(theirs) > _version(request.jupyterhub):
        raise AdministrationError(
            f"that backup was made with JupyterHub {theirs}; this checkout has {request.jupyterhub}, which cannot read "
            "its database: use the checkout that made the backup, or a newer one."
        )
    if manifest.only_databases and not request.only_databases:
        raise AdministrationError("that backup contains databases only: add --only-databases.")


def _put_database(folder: Path, copy: DatabaseCopy) -> None:
    target = folder / copy.path
    if any(parent.is_symlink() for parent in target.parents if parent.is_relative_to(folder)):
        raise AdministrationError(f"{copy.path} lies behind a link in its volume: remove the link.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as work:
        draft = Path(work, "database")
        shutil.copyfile(runtime.STAGING / copy.file, draft)
        if copy.place == HUB_DATABASE:
            databases.forget_labs(draft)
        draft.chmod(copy.mode)
        os.chown(draft, *copy.owner)
        for end in databases.COMPANIONS:
            target.with_name(target.name + end).unlink(missing_ok=True)
        draft.replace(target)


def _check_free(folder: Path, snapshot: str) -> None:
    if folder.is_dir() and not _is_marked(folder, snapshot) and _contents(folder):
        raise AdministrationError(f"{folder.relative_to(runtime.VOLUMES)} is not empty: nothing was written.")


def _mark(folder: Path, snapshot: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_marked(folder, snapshot):
        mark = folder / MARK
        mark.unlink(missing_ok=True)
        mark.touch(mode=0o600)
        mark.write_text(f"{snapshot}\n", encoding="ascii")


def _is_marked(folder: Path, snapshot: str) -> bool:
    """Return whether a restore of this snapshot has begun here; only root's marker counts, not a user's file."""
    return _mark_lines(folder)[:1] == [snapshot]


def _mark_lines(folder: Path) -> Sequence[str]:
    mark = folder / MARK
    if mark.is_symlink() or not mark.is_file() or mark.lstat().st_uid != 0:
        return []
    return mark.read_text(encoding="ascii", errors="replace").split()


def _contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in KEPT_NAMES)


def _empty(folder: Path) -> None:
    """Empty a volume once; after an interruption its content is already restored files."""
    if EMPTIED in _mark_lines(folder):
        return
    for name in _contents(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    with (folder / MARK).open("a", encoding="ascii") as stream:
        stream.write(f"{EMPTIED}\n")
        stream.flush()
        os.fsync(stream.fileno())


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
