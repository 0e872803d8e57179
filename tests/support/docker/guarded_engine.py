"""The hub's guard in front of a fake engine that records what reaches it, both on Unix sockets."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from hub.guard.proxy import Engine, Guard
from hub.guard.rules import Rules

OWN, TOOL, OTHER = "a1" * 32, "b2" * 32, "c3" * 32
LABELS = {"com.docker.compose.project": "p-labs"}
CONTAINERS = {
    "p-lab-bob": {"Id": OWN, "Name": "/p-lab-bob", "Config": {"Labels": LABELS, "Tty": False}},
    "silly_name": {"Id": TOOL, "Name": "/silly_name", "Config": {"Labels": {"org.passerelle.tool": "p"}}},
    "p-bridge-1": {"Id": OTHER, "Name": "/p-bridge-1", "Config": {"Labels": {"com.docker.compose.project": "p"}}},
    "q-lab-bob": {
        "Id": "d4" * 32,
        "Name": "/q-lab-bob",
        "Config": {"Labels": {"com.docker.compose.project": "q-labs"}},
    },
    "database": {"Id": "e5" * 32, "Name": "/database", "Config": {"Labels": None}},
}


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine that records calls and knows a few containers."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.calls: list[tuple[str, str, Any]] = []
        self.delay = 0.0

    def changes(self) -> list[tuple[str, str, Any]]:
        """Return the calls that are not an inspection."""
        return [call for call in self.calls if not (call[0] == "GET" and call[1].endswith("/json"))]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeEngine

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append((self.command, self.path, json.loads(text or b"null")))
        time.sleep(self.server.delay)
        status, said = self._result(self.path.partition("?")[0].removeprefix("/v1.41"))
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(BrokenPipeError):  # the guard has timed out
            self.end_headers()
            self.wfile.write(body)

    def _result(self, path: str) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        if path == "/volumes":
            return 200, {"Volumes": [{"Name": "p-home-bob"}, {"Name": "old-p-home-bob"}], "Warnings": None}
        if path.startswith("/containers/") and self.command == "GET" and path != "/containers/json":
            name = path.split("/")[2]
            found = [one for key, one in CONTAINERS.items() if name == key or str(one["Id"]).startswith(name)]
            return (200, found[0]) if found else (404, {"message": f"No such container: {name}"})
        return 200, {}

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class GuardedEngine:
    """The guard's socket, and the engine behind it."""

    def __init__(self, path: Path, engine: FakeEngine) -> None:
        self.path, self.engine = path, engine

    def send(self, data: bytes) -> tuple[int, str]:
        """Send bytes, and return status and body; 0 if the connection is closed without an answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.path))
            client.sendall(data)
            answer = http.client.HTTPResponse(client, method=data.partition(b" ")[0].decode())
            with contextlib.closing(answer):
                try:
                    answer.begin()
                    return answer.status, answer.read().decode()
                except (http.client.HTTPException, ConnectionError):
                    return 0, ""

    def call(self, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Send a call as a Docker client does; a body of bytes is sent as it is."""
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "docker", "Content-Length": str(len(text))}
        lines |= {"Content-Type": "application/json"} if text else {}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + text)


@contextmanager
def guarded_engine(folder: Path, rules: Rules, timeout: float | None = None) -> Iterator[GuardedEngine]:
    """Run both until the block ends."""
    path, started = folder / "guard.sock", threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        upstream = Engine(str(folder / "engine.sock"), timeout)
        runner = web.ServerRunner(web.Server(Guard(rules, upstream).handle))
        await runner.setup()
        await web.UnixSite(runner, str(path)).start()
        started.set()
        await ended.wait()
        await runner.cleanup()
        await upstream.close()

    with FakeEngine(folder / "engine.sock") as engine:
        serving = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        answering = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        serving.start()
        answering.start()
        assert started.wait(10)
        try:
            yield GuardedEngine(path, engine)
        finally:
            loop.call_soon_threadsafe(ended.set)
            serving.join(10)
            engine.shutdown()
    loop.close()
