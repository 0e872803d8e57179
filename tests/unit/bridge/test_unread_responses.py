"""Responses that the client does not read."""

from __future__ import annotations

import errno
import socket

from bridge.unread_responses import limit_accepted_connections

CHUNK = b"x" * 65_536
PATIENCE_SECONDS = 30


def send_until_closed(connection: socket.socket) -> int | None:
    """Send without end; return the number of the error that ends it."""
    try:
        while True:
            connection.sendall(CHUNK)
    except OSError as error:
        return error.errno


def test_connection_that_reads_nothing_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert limit_accepted_connections(0.5)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(PATIENCE_SECONDS)
                assert send_until_closed(accepted) == errno.ETIMEDOUT, "by the system, not by the patience of the test"
