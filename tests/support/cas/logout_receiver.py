"""A back-channel logout endpoint of a client, on loopback."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Told:
    """A received request."""

    path: str
    content_type: str
    form: dict[str, list[str]]
    at: float
    """Time on the monotonic clock."""

    @property
    def token(self) -> str:
        (token,) = self.form["logout_token"]
        return token


class LogoutReceiver:
    """A receiver that responds with the statuses in `answers`, then with `status`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.told: list[Told] = []
        self.answers: list[int] = []
        self.status = 200
        self.seconds = 0.0
        """Seconds before it responds."""
        self.drips = False
        """Send the response one byte at a time without end."""
        self.closing = threading.Event()
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/logout?of=app"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, within: float = 20.0) -> list[Told]:
        """Wait until this many requests have arrived."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.told) >= count, within), f"heard {len(self.told)} of {count}"
            return list(self.told)

    def note(self, told: Told) -> int:
        with self._news:
            self.told.append(told)
            self._news.notify_all()
            return self.answers.pop(0) if self.answers else self.status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: LogoutReceiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore aborted connections, which tests cause."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status = receiver.note(Told(self.path, self.headers["Content-Type"], form, time.monotonic()))
        if receiver.closing.wait(receiver.seconds):
            return
        while receiver.drips and not receiver.closing.wait(0.05):
            self.wfile.write(b"H")
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  the library's name

    def log_message(self, *_: object) -> None:
        """Log nothing."""
