"""A time limit for clients that do not read their responses, which the server itself does not have."""

import os
import socket
import threading
import time
from contextlib import suppress

UNREAD_SECONDS = 10
_LISTENS_WITHIN_SECONDS = 60


def limit_unread_responses() -> None:
    """Close connections whose client takes no byte for `UNREAD_SECONDS` while a response waits for it (Linux only).

    The server opens its listening socket after it has called the application, so a thread waits for that socket.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        threading.Thread(target=_limit_when_listening, daemon=True, name="unread responses").start()


def _limit_when_listening() -> None:
    deadline = time.monotonic() + _LISTENS_WITHIN_SECONDS
    while not limit_accepted_connections(UNREAD_SECONDS) and time.monotonic() < deadline:
        time.sleep(0.02)


def limit_accepted_connections(seconds: float) -> bool:
    """Set the limit at the listening sockets of this process, which later connections inherit; False without one."""
    found = False
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  numbers, not paths
        with suppress(OSError):  # not a socket, or closed meanwhile
            candidate = socket.socket(fileno=descriptor)
            try:
                if _is_tcp(candidate) and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
                    found = True
            finally:
                candidate.detach()  # it belongs to the server
    return found


def _is_tcp(candidate: socket.socket) -> bool:
    return candidate.type == socket.SOCK_STREAM and candidate.family in (socket.AF_INET, socket.AF_INET6)
