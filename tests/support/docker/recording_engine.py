"""A fake Docker engine that records requests and returns scripted responses."""

from __future__ import annotations

import contextlib
import http.server
import json
import time
from typing import Any

NETWORK = "labs"


class RecordingEngine(http.server.ThreadingHTTPServer):
    """The part of the Docker API that a spawner uses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, Any]] = []
        self.answers: dict[
            str, list[tuple[int, Any]]
        ] = {}  # scripted responses by path suffix, used before the defaults
        self.slow: dict[str, float] = {}  # delay in seconds by path suffix

    def bodies(self, end: str) -> list[Any]:
        return [body for _, path, body in self.requests if path.partition("?")[0].endswith(end)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RecordingEngine

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        self.server.requests.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        time.sleep(next((seconds for end, seconds in self.server.slow.items() if path.endswith(end)), 0))
        scripted = next((found for end, found in self.server.answers.items() if path.endswith(end) and found), None)
        status, said = scripted.pop(0) if scripted else self._usual(path)
        text = said if isinstance(said, bytes) else b"" if status == 204 else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # the client has disconnected
            self.wfile.write(text)

    def _usual(self, path: str) -> tuple[int, Any]:
        if path.endswith("/version"):
            return 200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        if path.endswith("/containers/create"):
            return 201, {"Id": "c0ffee"}
        if path.endswith("/c0ffee/json"):
            networks = {NETWORK: {"IPAddress": "127.0.0.1"}}
            found = {"Id": "c0ffee", "State": {"Running": True}, "Config": {"Tty": True}}
            return 200, found | {"NetworkSettings": {"Networks": networks}}
        if path.endswith(("/start", "/stop")) or self.command == "DELETE":
            return 204, None
        if "/images/" in path:
            return 200, {"Id": "sha256:1"}
        return 404, {"message": "no such container"}

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
