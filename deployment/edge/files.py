"""Atomic writes of private files."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o400
OWNER_AND_GROUP = 0o440
WORLD_READABLE = 0o444


def write(path: Path, content: bytes, *, group: int | None = None, owner: int | None = None) -> None:
    """Write a private file atomically, so that no reader or power cut leaves half of it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        restrict(draft, group, owner)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def restrict(path: Path, group: int | None, owner: int | None = None) -> None:
    """Make a file readable by its owner and, if given, a group. Hub and bridge are different users."""
    if group is not None or owner is not None:
        os.chown(path, -1 if owner is None else owner, -1 if group is None else group)
    path.chmod(OWNER_ONLY if group is None else OWNER_AND_GROUP)


def give(folder: Path, owner: int) -> None:
    """Make a user the owner of a folder and everything in it.

    The user may write to the folder meanwhile, so links are never followed, and every name is resolved below an open
    folder.
    """
    for _, folders, files, descriptor in os.fwalk(folder, onerror=_raise, follow_symlinks=False):
        if os.fstat(descriptor).st_uid != owner:
            os.fchown(descriptor, owner, owner)
        for name in (*folders, *files):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid != owner:
                    os.chown(name, owner, owner, dir_fd=descriptor, follow_symlinks=False)


def _raise(error: OSError) -> None:
    raise error
