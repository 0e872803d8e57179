"""Atomic writes of private files."""

import os
import tempfile
from pathlib import Path

OWNER_ONLY = 0o400
OWNER_AND_GROUP = 0o440
WORLD_READABLE = 0o444


def write(path: Path, content: bytes, *, group: int | None = None) -> None:
    """Write a private file atomically, so that no reader or power cut leaves half of it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        restrict(draft, group)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def restrict(path: Path, group: int | None) -> None:
    """Make a file readable by its owner and, if given, a group.

    The group is needed because the hub runs as root without capabilities: it cannot read files of the bridge's user.
    """
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(OWNER_ONLY if group is None else OWNER_AND_GROUP)
