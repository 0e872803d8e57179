"""Write, or go on writing, a backup of what is mounted here.

Databases first: whoever is in a home of the backup is then in its database, or signs in anew. Each part is a file of
its own with its checksum in the manifest, so that a backup that was interrupted goes on behind its last whole part.
"""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hub.administration.faults import AdministrationError
from hub.administration.names import KINDS, size
from hub.administration.worker import archive, databases
from hub.administration.worker.events import Progress, tell
from hub.administration.worker.manifest import NAME, Manifest, Part, moment, read_manifest, write_manifest
from hub.administration.worker.places import TARGET, VOLUMES
from hub.administration.worker.settings import check_is_meant, keep_settings

SPARE = 64 << 20  # bytes that are left free on the disk of the backup


@dataclass(frozen=True)
class BackupRequest:
    """What is asked of a backup."""

    project: str
    versions: dict[str, str]
    exclude: tuple[str, ...] = ()
    compress: bool = False
    resume: bool = False
    only_databases: bool = False
    checkout: str = ""
    """Its folder on the machine: settings may name files by their whole paths."""


def back_up(wish: BackupRequest) -> None:
    """All of it, then read again and compared."""
    check_is_meant(wish.project)
    _check_is_worth_it(wish)
    manifest = _begin(wish)
    TARGET.chmod(0o700)  # not before it is known for one of ours: it could be anybody's
    folders = [] if wish.only_databases else mounted()
    _check_room(folders, manifest, compress=wish.compress)
    try:
        manifest = _take_databases(manifest)
        manifest = keep_settings(manifest, wish.checkout)
        write_manifest(TARGET, manifest)
        for number, folder in enumerate(folders, 1):
            tell("part", what=_place(folder), number=number, of=len(folders))
            manifest = _take_folder(manifest, folder, wish)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise AdministrationError(
            "the disk of the backup is full. What is whole is kept: make room, then go on with the same command and "
            "--resume."
        ) from None
    check_files(manifest)
    manifest = manifest.model_copy(update={"ended": moment()})
    write_manifest(TARGET, manifest)
    tell(
        "result",
        parts=len(manifest.parts),
        bytes=sum(part.bytes for part in manifest.parts),
        changed=sum(bool(part.changed) for part in manifest.parts),
        unread=[part.place for part in manifest.parts if part.unread],
    )


def mounted() -> list[Path]:
    """The volumes that are mounted here, services first."""
    return [path for kind in KINDS for path in sorted((VOLUMES / kind).glob("*")) if path.is_dir()]


def check_files(manifest: Manifest) -> None:
    """Raise unless every file is on the disk as the manifest says."""
    for number, part in enumerate(manifest.parts, 1):
        tell("check", what=part.file, number=number, of=len(manifest.parts))
        path = TARGET / part.file
        progress = Progress(f"checking {part.file}", part.bytes)
        if not path.is_file() or archive.sha256_of(path, progress.add) != part.sha256:
            raise AdministrationError(
                f"{part.file} is not as it was written: the backup is damaged. Make a new one, on another disk."
            )


def sizes() -> None:
    """How much each volume takes, told one by one."""
    folders = mounted()
    for number, folder in enumerate(folders, 1):
        tell("size", place=_place(folder), bytes=archive.allocated(folder), number=number, of=len(folders))


def _begin(wish: BackupRequest) -> Manifest:
    if not (TARGET / NAME).exists():
        if left := sorted(path.name for path in TARGET.iterdir()):
            raise AdministrationError(f"the folder is not empty ({', '.join(left[:3])}): name a new one.")
        fresh = Manifest(
            project=wish.project,
            began=moment(),
            versions=wish.versions,
            excluded=wish.exclude,
            only_databases=wish.only_databases,
        )
        write_manifest(TARGET, fresh)
        return fresh
    manifest = read_manifest(TARGET)
    if manifest.ended is not None:
        raise AdministrationError(f"there is a whole backup in that folder, of {manifest.ended}: name a new one.")
    if not wish.resume:
        raise AdministrationError(
            f"there is a backup in that folder that was interrupted, begun {manifest.began}: go on with --resume, or "
            "name a new folder."
        )
    if (manifest.project, manifest.excluded, manifest.only_databases) != (
        wish.project,
        wish.exclude,
        wish.only_databases,
    ):
        raise AdministrationError(
            "the interrupted backup in that folder is of another project or was asked for differently: name a new one."
        )
    whole = tuple(part for part in manifest.parts if (TARGET / part.file).is_file())
    return manifest.model_copy(update={"parts": whole, "versions": wish.versions})


def _check_is_worth_it(wish: BackupRequest) -> None:
    """Raise if nobody has ever used this: a night's backup of the wrong project would be found out too late."""
    where = "service" if wish.only_databases else "service/hub-data"
    if not databases.find_databases(VOLUMES / where) and not any((VOLUMES / "home").glob("*")):
        raise AdministrationError(
            f"the project {wish.project} has neither a hub's database nor a home, so that it is hardly the one that "
            "you mean: type the command in the folder of its .env (cd deployment/site), and start it once before."
        )


def _check_room(folders: list[Path], manifest: Manifest, *, compress: bool) -> None:
    needed = 0
    for number, folder in enumerate(folders, 1):
        if manifest.part(_file(folder, compress=compress)) is None:
            tell("measure", what=_place(folder), number=number, of=len(folders))
            needed += archive.allocated(folder)
    free = shutil.disk_usage(TARGET).free - SPARE
    tell("room", needed=needed, free=free)
    if not compress and needed > free:
        raise AdministrationError(
            f"the disk of the backup has {size(max(free, 0))} free and up to {size(needed)} are needed: make room, "
            "name a folder on another disk, leave something out (--exclude), or try --compress."
        )


def _take_databases(manifest: Manifest) -> Manifest:
    """Always anew: the whole backup is then as young as they are."""
    for volume in sorted((VOLUMES / "service").glob("*")):
        for number, source in enumerate(databases.find_databases(volume)):
            path = str(source.relative_to(volume))
            file = f"database/{volume.name}/{number}-{re.sub(r'[^A-Za-z0-9_.-]', '_', source.name)}"
            tell("database", what=f"{volume.name}/{path}")
            databases.copy_database(source, TARGET / file)
            stat = source.stat()
            part = Part(
                file=file,
                place=_place(volume),
                kind="database",
                bytes=(TARGET / file).stat().st_size,
                sha256=archive.sha256_of(TARGET / file),
                taken=moment(),
                path=path,
                owner=(stat.st_uid, stat.st_gid),
                mode=stat.st_mode & 0o7777,
                schema_version=databases.schema_of(TARGET / file),
            )
            manifest = manifest.having(part)
            write_manifest(TARGET, manifest)
    return manifest


def _take_folder(manifest: Manifest, folder: Path, wish: BackupRequest) -> Manifest:
    file = _file(folder, compress=wish.compress)
    if manifest.part(file) is not None:
        return manifest  # whole, from before the interruption
    # What services keep is never left out by a pattern that was meant for homes.
    exclude = list(wish.exclude)
    if folder.parent.name == "service":
        exclude = [
            f"./{path.relative_to(folder)}{end}"
            for path in databases.find_databases(folder)
            for end in ("", *databases.BESIDE)
        ]
    progress = Progress(_place(folder))
    written = archive.write_tar(folder, TARGET / file, exclude=exclude, compress=wish.compress, tick=progress.add)
    for line in written.unread:
        tell("note", text=f"{_place(folder)}: {line}")
    part = Part(
        file=file,
        place=_place(folder),
        kind="folder",
        bytes=written.bytes,
        sha256=written.sha256,
        taken=moment(),
        changed=written.changed,
        unread=written.unread,
    )
    manifest = manifest.having(part)
    write_manifest(TARGET, manifest)
    return manifest


def _place(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _file(folder: Path, *, compress: bool) -> str:
    return f"{_place(folder)}.tar{'.gz' if compress else ''}"
