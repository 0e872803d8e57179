"""Private files, written in one step and readable by those only who need them."""

import os
import tempfile
from pathlib import Path

OWNER_ONLY = 0o400
OWNER_AND_GROUP = 0o440
EVERYBODY = 0o444


def write(path: Path, content: bytes, *, group: int | None = None) -> None:
    """Write a private file in one step: a reader, or a power cut, never meets half of it."""
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
    """Let the owner read and, if one is given, a group.

    A group, because the hub is root without capabilities: it may not read what belongs to the bridge's user.
    """
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(OWNER_ONLY if group is None else OWNER_AND_GROUP)
