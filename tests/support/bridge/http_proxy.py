"""An HTTP proxy on loopback, as between institutional servers and the internet.

In a test:      with HttpProxy(login="bridge:s3cret") as proxy: …cas_proxy=proxy.url…
It forwards absolute URLs and opens tunnels, and can require a password, reject requests, or misbehave.
"""

from __future__ import annotations

import base64
import http.client
import socket
import socketserver
import threading
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Passage:
    """A request as the proxy sees it."""

    method: str
    target: str
    headers: dict[str, str]


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        proxy = cast(_Server, self.server).proxy
        try:
            while line := self.rfile.readline().decode("latin-1").split():
                headers = {}
                while header := self.rfile.readline().strip():
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                passage = Passage(line[0], line[1], headers)
                proxy.passages.append(passage)
                if not self.pass_on(proxy, passage):
                    return
        except OSError:
            pass  # one side closed the connection

    def pass_on(self, proxy: HttpProxy, passage: Passage) -> bool:
        """Handle a request; return whether the connection can be reused."""
        if proxy.raw is not None:
            self.wfile.write(proxy.raw)
            if proxy.hangs:
                proxy.closing.wait(60)
            return False
        if proxy.authorization and passage.headers.get("proxy-authorization") != proxy.authorization:
            refused = "HTTP/1.1 407 Unauthorized\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
            self.wfile.write(refused.encode())
            return True
        return self.tunnel(passage) if passage.method == "CONNECT" else self.forward(passage)

    def tunnel(self, passage: Passage) -> bool:
        host, _, port = passage.target.rpartition(":")
        try:
            other = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return False
        with other:
            other.settimeout(None)
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
            back = threading.Thread(target=_pump, args=(other, self.connection), daemon=True)
            back.start()
            _pump(self.connection, other)
            back.join(5)
        return False

    def forward(self, passage: Passage) -> bool:
        parts = urlsplit(passage.target)
        length = int(passage.headers.get("content-length", 0))
        body = self.rfile.read(length) if length else None
        other = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=5)
        try:
            kept = {name: value for name, value in passage.headers.items() if not name.startswith("proxy-")}
            other.request(passage.method, f"{parts.path}?{parts.query}", body, kept)
            answer = other.getresponse()
            content = answer.read()
            head = f"HTTP/1.1 {answer.status} Forwarded\r\nContent-Type: {answer.headers['Content-Type']}\r\n"
            self.wfile.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        finally:
            other.close()
        return True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    proxy: HttpProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore aborted connections, which tests cause."""


class HttpProxy:
    """A proxy that runs in threads of this process between __enter__ and __exit__."""

    def __init__(self, *, login: str | None = None, raw: bytes | None = None, hangs: bool = False) -> None:
        """Create a proxy that requires `login` (`user:password`), or sends `raw` to every request and then may hang."""
        self.authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        self.raw, self.hangs = raw, hangs
        self.passages: list[Passage] = []
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
