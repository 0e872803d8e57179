"""Runs in a container of its own that sees nothing but the volumes named to it: makes shared folders writable to all
their teachers.

The group of a folder, and by setgid of everything made in it, is `SHARED_GID`; a default access list gives it the
right to write whatever the umask of the lab. So the second teacher can edit the first one's file even from an image
with another user. Of what was brought in otherwise (`docker cp`, a restored archive) the same is made, entry by entry,
without ever following a link: those inside are users'.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from pathlib import Path

from hub.storage.mounts import SHARED_GID

_GROUP_MAY = {"folder": 0o070, "file": 0o060}
_NO_ID = 0xFFFFFFFF
# Version 2, then (tag, rights, id): owner and group may all, others may read.
_DEFAULT_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, _NO_ID) for tag, rights in ((0x01, 7), (0x04, 7), (0x20, 5))
)


def share(folder: Path) -> int:
    """Make the folder and all in it the group's; how many entries were changed."""
    changed = _adjust(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), others_may=0o005)
    for _, folders, files, here in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            try:
                entry = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
            except OSError:  # a link, a socket, or gone by now
                continue
            changed += _adjust(entry)
    return changed


def _adjust(descriptor: int, others_may: int = 0) -> int:
    """Give an open file or folder to the group; closes it."""
    try:
        now = os.fstat(descriptor)
        if stat.S_ISDIR(now.st_mode):
            wanted = now.st_mode | _GROUP_MAY["folder"] | stat.S_ISGID | others_may
        elif stat.S_ISREG(now.st_mode):
            runs = 0o010 if now.st_mode & stat.S_IXUSR else 0
            wanted = now.st_mode | _GROUP_MAY["file"] | runs
        else:
            return 0
        if now.st_gid == SHARED_GID and wanted == now.st_mode:
            return 0
        os.fchown(descriptor, -1, SHARED_GID)
        os.fchmod(descriptor, stat.S_IMODE(wanted))
        if stat.S_ISDIR(wanted):
            _set_default_list(descriptor)
        return 1
    finally:
        os.close(descriptor)


def _set_default_list(descriptor: int) -> None:
    try:
        os.setxattr(descriptor, "system.posix_acl_default", _DEFAULT_LIST)
    except OSError:
        # A file system without access lists: setgid is left, which is enough as long as all labs have one user.
        sys.stderr.write("no access lists on this file system\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {share(Path(name))} changed\n")
