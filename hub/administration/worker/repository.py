"""A restic repository: encrypted, deduplicated snapshots in the folder that is mounted at TARGET.

restic encrypts, compresses and verifies. A snapshot appears only when it is whole. restic saves its index every few
minutes, so that a run after an interruption stores little again.
"""

import io
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from hub.administration import AdministrationError
from hub.administration.worker import runtime
from hub.administration.worker.runtime import emit
from hub.administration.worker.sparse_files import oversized_files
from hub.config.settings import RESTORE_MARK
from hub.storage.quota import format_size
from passerelle_common.atomic_write import atomic_write

UNREAD_FILES = 3  # restic's exit status for a snapshot that lacks files
_ERRORS = {
    10: "there is no backup in that folder: name the folder that `passerelle hub backup` wrote.",
    11: "another command uses that repository: wait until it has ended, then run this again.",
    12: "the password does not fit that repository: name the file with its password in HUB_BACKUP_PASSWORD_FILE.",
}
_DISK_FULL = "no space left on device"
STALL_TIMEOUT = 1800  # seconds
_SHUTDOWN_TIMEOUT = 15  # seconds for restic to remove its lock


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as restic lists it; `time` is RFC 3339, `size` in bytes before deduplication."""

    id: str
    time: str
    project: str
    tags: tuple[str, ...]
    size: int


def create_password(file: str) -> bool:
    """Create a password file in TARGET unless it or the repository (at OUTPUT) exists; return whether it is new."""
    path = runtime.TARGET / Path(file).name
    if path.exists():
        return False
    if any((folder / "config").is_file() for folder in (runtime.TARGET, runtime.OUTPUT)):
        raise AdministrationError(
            f"the password file {file} is missing, and the repository exists already: put your copy of the "
            "password there, or name its file in HUB_BACKUP_PASSWORD_FILE."
        )
    with atomic_write(path) as stream:
        stream.write(secrets.token_urlsafe(32).encode() + b"\n")
    return True


def init_repository() -> None:
    """Create the repository unless TARGET has one."""
    if (runtime.TARGET / "config").is_file() and (runtime.TARGET / "keys").is_dir():
        locks = list((runtime.TARGET / "locks").glob("*"))
        # One container of this name runs at a time. restic keeps a killed one's lock if its process id is in use again.
        for lock in locks:
            with suppress(AdministrationError):
                if json.loads(_run("--no-lock", "cat", "lock", lock.name))["hostname"] == socket.gethostname():
                    lock.unlink()
        if locks:
            _run("unlock")  # stale locks of other hosts
        return
    if names := sorted(path.name for path in runtime.TARGET.iterdir()):
        raise AdministrationError(f"the folder is not empty ({', '.join(names[:3])}): name a new one.")
    _run("init")
    runtime.TARGET.chmod(0o700)


def snapshots(*tags: str) -> list[Snapshot]:
    """Return the snapshots with any of these tags, the oldest first; none if there is no repository yet."""
    if not (runtime.TARGET / "config").is_file():
        return []
    found = json.loads(_run("--no-lock", "snapshots", *(f"--tag={tag}" for tag in tags)))
    return [
        Snapshot(
            id=str(one["short_id"]),
            time=str(one["time"]),
            project=str(one["hostname"]),
            tags=tuple(one.get("tags") or ()),
            size=int((one.get("summary") or {}).get("total_bytes_processed", 0)),
        )
        for one in sorted(found, key=lambda one: str(one["time"]))
    ]


def create_snapshot(
    folders: Sequence[Path], *, project: str, tags: Sequence[str], exclude: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a snapshot of these folders; `exclude` are restic's patterns, with absolute paths.

    Files whose holes restic could not finish to read are left out.

    Returns:
        The id of the snapshot; its size and the size of what is new, as `bytes` and `stored`; the `unread` paths.
    """
    oversized = [str(path) for folder in folders for path in oversized_files(folder)]
    unread: dict[str, None] = dict.fromkeys(oversized)  # restic reports some files twice
    summary: dict[str, Any] = {}
    patterns = [*exclude, f"{runtime.VOLUMES}/service/*/{RESTORE_MARK}*", *map(literal_pattern, oversized)]
    options = [f"--tag={tag}" for tag in tags] + [f"--exclude={pattern}" for pattern in patterns]
    sources = [f"--host={project}", "--group-by=host,tags", "--one-file-system", *options, "--", *map(str, folders)]
    done, since = None, time.monotonic()
    for message in _stream("backup", *sources, allowed=UNREAD_FILES):
        match message.get("message_type"):
            case "status":
                _emit_progress("backup", message, "bytes_done")
                if done != (done := (message.get("files_done"), message.get("bytes_done"))):
                    since = time.monotonic()
                elif time.monotonic() - since > STALL_TIMEOUT:
                    raise _stalled(message)
            case "error":
                unread[str(message.get("item", ""))] = None
            case "summary":
                summary = message
    return {
        "snapshot": summary["snapshot_id"][:8],
        "bytes": summary["total_bytes_processed"],
        "stored": summary["data_added_packed"],
        "unread": list(unread),
    }


def _stalled(status: dict[str, Any]) -> AdministrationError:
    """Return the error for a file that restic cannot finish: a lab replaced it by a FIFO after restic looked at it."""
    files = ", ".join(str(path).removeprefix(f"{runtime.VOLUMES}/") for path in status.get("current_files") or ())
    return AdministrationError(
        f"restic made no progress for {STALL_TIMEOUT // 60} minutes at {files or 'the repository'}. If a lab changes "
        "this file all the time, stop the lab. Then run the same command again: it continues."
    )


def literal_pattern(path: str) -> str:
    """Return restic's pattern for one path."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def read_file(snapshot: str, path: Path) -> bytes:
    """Return the content of a file in a snapshot."""
    return _run("--no-lock", "dump", snapshot, str(path))


def read_folder(snapshot: str, folder: Path) -> dict[str, bytes]:
    """Return the files below a folder of a snapshot by their path in it; one call, because restic starts slowly."""
    archive = io.BytesIO(_run("--no-lock", "dump", snapshot, str(folder)))
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        return {
            str(PurePosixPath("/", member.name).relative_to(folder)): stream.read()
            for member in tar
            if (stream := tar.extractfile(member))
        }


def verify_snapshot(snapshot: str, path: str = "/") -> None:
    """Read and decrypt everything below a path of a snapshot."""
    emit("message", f"checking snapshot {snapshot}")
    _run("--no-lock", "dump", snapshot, path, discard=True)


def restore_snapshot(snapshot: str, folders: Sequence[Path], *, tolerated: Sequence[Path]) -> list[str]:
    """Restore these folders of a snapshot to where they were, with owners, modes, ACLs and holes.

    Files that are already complete are verified and left alone, so that an interrupted restore continues.

    Args:
        snapshot: Its id.
        folders: The folders.
        tolerated: Folders of users. A file there that this disk cannot store must not prevent the whole restore.

    Returns:
        The paths of such files.
    """
    include = [f"--include={folder}" for folder in folders]
    # Labs cannot set attributes in other namespaces, and the container has no right to.
    attributes = ["--include-xattr=user.*", "--include-xattr=system.posix_acl_*"]
    errors: list[dict[str, Any]] = []
    finished = False
    try:
        for message in _stream("--no-lock", "restore", snapshot, "--target=/", "--sparse", *include, *attributes):
            match message.get("message_type"):
                case "status":
                    _emit_progress("restore", message, "bytes_restored")
                case "error":
                    errors.append(message)
                case "summary":
                    finished = True
    except AdministrationError:
        if not (finished and errors and all(_is_tolerable(error, tolerated) for error in errors)):
            raise
    return [str(error["item"]) for error in errors]


def _is_tolerable(error: dict[str, Any], folders: Sequence[Path]) -> bool:
    path, text = Path(str(error.get("item", ""))), _parse(json.dumps(error))[1]
    return _DISK_FULL not in text and any(path.is_relative_to(folder) for folder in folders)


def extract_folder(snapshot: str, folder: Path, target: Path) -> None:
    """Restore the content of a folder of a snapshot into another folder."""
    _run("--no-lock", "restore", f"{snapshot}:{folder}", f"--target={target}")


def check_repository() -> None:
    """Check the repository's structure, and a seventh of its data: another one each day, so all of it each week."""
    emit("message", "checking the repository")
    _run("check", f"--read-data-subset={date.today().toordinal() % 7 + 1}/7")  # noqa: DTZ011  any day will do


def add_tag(snapshot: str, tag: str) -> str:
    """Tag the newest snapshot, and return its new id."""
    _run("tag", f"--add={tag}", snapshot)
    return snapshots(tag)[-1].id


def forget(*options: str) -> None:
    """Remove snapshots that restic's options select, and the data that no other snapshot uses."""
    _run("forget", "--prune", *options)


def _emit_progress(what: str, message: dict[str, Any], done: str) -> None:
    sizes = format_size(message.get(done, 0)), format_size(message.get("total_bytes", 0))
    emit("message", f"{what}: {sizes[0]} of {sizes[1]}")


def _stream(*arguments: str, allowed: int = 0) -> Iterator[dict[str, Any]]:
    """Run restic and yield its messages; raise at the end if it failed."""
    problems: list[str] = []
    with subprocess.Popen(  # noqa: S603  no shell
        _command(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()
    ) as process:
        try:
            for line in process.stdout or ():
                message, problem = _parse(line)
                problems.append(problem)
                yield message
        except BaseException:
            # As on Ctrl-C, restic removes its lock and keeps what it has stored.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_SHUTDOWN_TIMEOUT)
            except subprocess.TimeoutExpired:  # it waits for a FIFO
                process.kill()
            raise
    if process.returncode not in (0, allowed):
        raise _error(process.returncode, problems)


def _run(*arguments: str, discard: bool = False) -> bytes:
    """Run restic and return its output."""
    output = subprocess.DEVNULL if discard else subprocess.PIPE
    done = subprocess.run(  # noqa: S603  no shell
        _command(arguments), stdout=output, stderr=subprocess.PIPE, env=_environment(), check=False
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        raise _error(done.returncode, [_parse(line)[1] for line in lines])
    return done.stdout or b""


def _command(arguments: Sequence[str]) -> list[str]:
    return ["restic", "--json", "--no-cache", f"--repo={runtime.TARGET}", *arguments]


def _environment() -> dict[str, str]:
    temporary = runtime.STAGING.parent
    return {
        **os.environ,
        "RESTIC_PASSWORD_FILE": str(runtime.PASSWORD),
        "RESTIC_PROGRESS_FPS": "0.2",  # one message in 5 s
        "TMPDIR": str(temporary),
        "HOME": str(temporary),
    }


def _parse(line: str) -> tuple[dict[str, Any], str]:
    """Return a message of restic, and the problem that it reports, if any."""
    try:
        message = dict(json.loads(line))
    except (ValueError, TypeError):
        return {}, line.strip()
    if error := message.get("error"):
        return message, f"{message.get('item', '')}: {error.get('message', '')}"
    return message, str(message.get("message", ""))


def _error(status: int, problems: Sequence[str]) -> AdministrationError:
    said = (
        "; ".join(list(filter(None, problems))[:3]).removeprefix("Fatal: ").rstrip(".") or f"restic ended with {status}"
    )
    if _DISK_FULL in said:
        said += ". Free space, then run the same command again: it continues"
    return AdministrationError(_ERRORS.get(status) or f"restic: {said}.")
