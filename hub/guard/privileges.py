"""The change from root to a user who may use the Docker engine's socket and nothing else."""

import os
from pathlib import Path


def become(user: int, socket: Path) -> None:
    """Become an unprivileged user in the group of the socket, which differs between servers.

    No capability is left, so the process can never become root again. It does nothing for a process that is not root.
    """
    if os.getuid() != 0:
        return
    os.setgroups([socket.stat().st_gid])
    os.setgid(user)
    os.setuid(user)
