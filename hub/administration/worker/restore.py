"""Lay a backup out in the volumes that are mounted here.

Nothing is written before everything has been read and compared. What is whole in the target is marked there, so that
an interrupted restore, run again, goes on behind it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from hub.administration.faults import AdministrationError
from hub.administration.names import size
from hub.administration.worker import archive, databases
from hub.administration.worker.backup import check_files
from hub.administration.worker.events import Progress, tell
from hub.administration.worker.manifest import Manifest, Part, read_manifest
from hub.administration.worker.places import TARGET, VOLUMES
from hub.administration.worker.settings import check_is_meant, check_no_strangers, different_settings
from hub.config.restore_marker import MARK

HUB_DATABASE = "service/hub-data"
UNDER_WAY = MARK


@dataclass(frozen=True)
class BackupRequest:
    """What is asked of a restore."""

    jupyterhub: str
    force: bool = False
    only_databases: bool = False


def describe(project: str) -> None:
    """What the backup holds and what is in the way of it in this project: told before anything is done."""
    check_is_meant(project)
    manifest = read_manifest(TARGET)
    check_no_strangers(manifest)
    in_the_way = []
    places = sorted({part.place for part in manifest.parts})
    for place in places:
        folder = VOLUMES / place
        if folder.is_dir() and not _is_marked(folder, manifest) and (names := _contents(folder)):
            in_the_way.append({"place": place, "files": len(names), "bytes": archive.allocated(folder)})
    tell(
        "backup",
        project=manifest.project,
        began=manifest.began.isoformat(),
        ended=None if manifest.ended is None else manifest.ended.isoformat(),
        versions=manifest.versions,
        places=places,
        only_databases=manifest.only_databases,
        bytes=sum(part.bytes for part in manifest.parts),
        in_the_way=in_the_way,
        settings=different_settings(manifest),
    )


def restore(wish: BackupRequest) -> None:
    """All of it."""
    manifest = read_manifest(TARGET)
    check_manifest(manifest, wish)
    parts = [part for part in manifest.parts if not wish.only_databases or part.kind == "database"]
    check_files(manifest.model_copy(update={"parts": tuple(parts)}))
    places = sorted({part.place for part in parts})
    # Whoever looks into the hub's volume alone is to see the mark as long as there is any.
    last = sorted(places, key=lambda place: place == HUB_DATABASE)
    _check_room(parts)
    if not wish.force:
        for place in places:
            _check_is_free(VOLUMES / place, manifest)
    # Marked before anything is written: what was there is no longer anybody's data, and a second run may go on.
    for place in reversed(last):
        _mark(VOLUMES / place, manifest)
    for number, place in enumerate(places, 1):
        tell("part", what=place, number=number, of=len(places))
        # The databases go where the folder has been laid out.
        of_place = sorted((part for part in parts if part.place == place), key=lambda part: part.kind != "folder")
        _restore_place(VOLUMES / place, of_place)
    # At the very end, or a second run would take those that are done for somebody else's data.
    for place in last:
        (VOLUMES / place / UNDER_WAY).unlink(missing_ok=True)
    tell("result", parts=len(parts), bytes=sum(part.bytes for part in parts))


def check_manifest(manifest: Manifest, wish: BackupRequest) -> None:
    """Raise unless the backup is whole and of no later version than what shall run on it."""
    if manifest.ended is None:
        raise AdministrationError(
            "that backup was interrupted before it was whole: finish it with `passerelle hub backup … --resume`, or "
            "take an older one."
        )
    theirs = manifest.versions.get("jupyterhub", "0")
    if _version(theirs) > _version(wish.jupyterhub):
        raise AdministrationError(
            f"that backup was made with JupyterHub {theirs} and this checkout has {wish.jupyterhub}, which cannot read "
            "its database: take the checkout that it was made with, or a newer one."
        )
    if manifest.only_databases and not wish.only_databases:
        raise AdministrationError("that backup has databases only, as an upgrade makes it: add --only-databases.")
    for part in manifest.parts:
        inside = PurePosixPath(part.path)
        if inside.is_absolute() or ".." in inside.parts or (part.kind == "database") != bool(part.path):
            raise AdministrationError(
                f"the manifest says that {part.file} belongs outside its volume: do not trust it."
            )


def _restore_place(folder: Path, parts: list[Part]) -> None:
    done = _read_mark(folder)
    for part in parts:
        if part.sha256 in done:
            continue
        if part.kind == "folder":
            _empty(folder)
            progress = Progress(part.place, part.bytes)
            archive.extract_tar(TARGET / part.file, folder, tick=progress.add)
        else:
            _put_database(folder, part)
        with (folder / UNDER_WAY).open("a") as stream:
            stream.write(f"{part.sha256}\n")
            stream.flush()
            os.fsync(stream.fileno())


def _put_database(folder: Path, part: Part) -> None:
    target = folder / part.path
    if any(parent.is_symlink() for parent in target.parents if parent.is_relative_to(folder)):
        raise AdministrationError(f"{part.path} lies behind a link in its volume: remove the link.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as work:
        draft = Path(work, "database")
        shutil.copyfile(TARGET / part.file, draft)
        if part.place == HUB_DATABASE:
            databases.forget_labs(draft)
        draft.chmod(part.mode)
        os.chown(draft, *part.owner)
        for end in databases.BESIDE:
            target.with_name(target.name + end).unlink(missing_ok=True)
        draft.replace(target)


def _check_is_free(folder: Path, manifest: Manifest) -> None:
    if folder.is_dir() and not _is_marked(folder, manifest) and _contents(folder):
        raise AdministrationError(f"{folder.relative_to(VOLUMES)} is not empty: nothing was written.")


def _mark(folder: Path, manifest: Manifest) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if _is_marked(folder, manifest):
        return
    mark = folder / UNDER_WAY
    mark.unlink(missing_ok=True)
    mark.touch(mode=0o600)
    mark.write_text(_sign(manifest), encoding="ascii", errors="replace")


def _is_marked(folder: Path, manifest: Manifest) -> bool:
    """By us, for this backup: a user could have a file of that name in their home, but not one of root's."""
    mark = folder / UNDER_WAY
    ours = mark.is_file() and not mark.is_symlink() and mark.lstat().st_uid == 0
    return ours and mark.read_text(encoding="ascii", errors="replace").startswith(_sign(manifest))


def _sign(manifest: Manifest) -> str:
    """Which backup it is."""
    return f"{manifest.began:%Y%m%dT%H%M%SZ}-{sha256(manifest.project.encode()).hexdigest()}\n"


def _read_mark(folder: Path) -> set[str]:
    return set((folder / UNDER_WAY).read_text(encoding="ascii", errors="replace").split())


def _contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in (UNDER_WAY, "lost+found"))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name in (UNDER_WAY, "lost+found"):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_room(parts: list[Part]) -> None:
    needed = sum(part.bytes for part in parts if not part.file.endswith(".gz"))
    free = shutil.disk_usage(VOLUMES / parts[0].place).free if parts else 0
    if needed > free:
        raise AdministrationError(
            f"the volumes' disk has {size(free)} free and {size(needed)} are needed: make room; nothing was written."
        )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
