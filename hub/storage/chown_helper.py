"""Program that makes shared folders writable for all their teachers, in a container that mounts only those folders.

Each folder gets the group `SHARED_GID`, setgid, and a default ACL that gives the group write access whatever the lab's
umask. Files that arrived otherwise (`docker cp`, a restored archive) get the same. Links are never followed, because
the content belongs to users.
"""

import os
import stat
import struct
import sys
from pathlib import Path

from hub.storage import SHARED_GID

_FOLDER_MODE, _FILE_MODE = 0o070, 0o060
_MAX_DEPTH = 200  # each level of `fwalk` holds a file descriptor
_UNDEFINED_ID = 0xFFFFFFFF
# Version 2, then (tag, permissions, id): owner and group rwx, others r-x. See acl(5).
_DEFAULT_ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, _UNDEFINED_ID) for tag, permissions in ((0x01, 7), (0x04, 7), (0x20, 5))
)


def share_folder(folder: Path) -> int:
    """Give a folder and its content to the group, and return the number of changed entries."""
    changed = _share(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), others=0o005)
    for path, folders, files, parent in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            try:
                changed += _share(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent))
            except OSError:  # a link, a socket, or deleted meanwhile
                continue
        if Path(path).relative_to(folder).parts[_MAX_DEPTH:]:
            folders.clear()
    return changed


def _share(descriptor: int, others: int = 0) -> int:
    """Give an open file or folder to the group and close it."""
    try:
        now = os.fstat(descriptor)
        if stat.S_ISDIR(now.st_mode):
            mode = now.st_mode | _FOLDER_MODE | stat.S_ISGID | others
        elif stat.S_ISREG(now.st_mode):
            # A program must not run with the group's rights.
            mode = now.st_mode & ~(stat.S_ISUID | stat.S_ISGID) | _FILE_MODE
            mode |= 0o010 if now.st_mode & stat.S_IXUSR else 0
        else:
            return 0
        if now.st_gid == SHARED_GID and mode == now.st_mode:
            return 0
        os.fchown(descriptor, -1, SHARED_GID)
        os.fchmod(descriptor, stat.S_IMODE(mode))
        if stat.S_ISDIR(mode):
            try:
                os.setxattr(descriptor, "system.posix_acl_default", _DEFAULT_ACL)
            except OSError:
                # Without ACLs setgid still suffices as long as all labs run as the same user.
                sys.stderr.write("this file system has no ACLs\n")
        return 1
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {share_folder(Path(name))} changed\n")
