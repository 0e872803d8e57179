"""Health check of the guard: the engine answers through it."""

import os
import socket
import sys

TIMEOUT = 3  # seconds


def main() -> int:
    """Print the fault, if any, and return the exit status."""
    try:
        with socket.socket(socket.AF_UNIX) as guard:
            guard.settimeout(TIMEOUT)
            guard.connect(os.environ["GUARD_SOCKET"])
            guard.sendall(b"GET /_ping HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n")
            status = guard.recv(100).split(b" ")[1:2]
    except OSError as error:
        print(f"The guard does not respond: {error}")  # noqa: T201  for `docker inspect`
        return 1
    if status != [b"200"]:
        print(f"The engine does not respond: {status}")  # noqa: T201  for `docker inspect`
    return int(status != [b"200"])


if __name__ == "__main__":
    sys.exit(main())
