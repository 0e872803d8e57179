"""Servers for `passerelle check`: a CAS server and a reverse proxy that tests can break."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.cas.scripted_cas import VALIDATE_PATHS, Exchange, ScriptedCas

PAGE = {"Content-Type": "text/html"}


class Issuer:
    """A certificate authority that no client trusts by default, or an intermediate one."""

    def __init__(self, folder: Path, name: str, above: Issuer | None = None) -> None:
        self.folder, self.name, self.above = folder, name, above
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = above or self
        self.certificate = _certificate(name, self.key, signer.name, signer.key, hosts=None, days=(-90, 90))
        self.ca_file = folder / f"{name.replace(' ', '-')}.pem"
        self.ca_file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def server(self, host: str, *, days: tuple[int, int] = (-60, 60), sends_issuer: bool = False) -> ssl.SSLContext:
        """Return a server TLS context with a certificate for a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = _certificate(host, key, self.name, self.key, hosts=[host], days=days).public_bytes(Encoding.PEM)
        file = self.folder / f"{host}-{time.monotonic_ns()}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + pem + (self.certificate.public_bytes(Encoding.PEM) if sends_issuer else b""))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    hosts: list[str] | None,
    days: tuple[int, int],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), critical=True)
    )
    if hosts is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return builder.sign(signing_key, hashes.SHA256())


class CheckedCas(ScriptedCas):
    """A CAS server with one registered service, a clock, and settings that tests can break."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port=port, tls=tls)
        self.url = self.url.replace("127.0.0.1", "localhost")
        self.signed_in = False
        self.paths = set(VALIDATE_PATHS)
        self.registered = "https://"
        self.seconds_ahead = 0.0
        self.redirects_to: str | None = None
        self.fails_for_unknown = False
        """Responds 500 to an unregistered service, as Apereo CAS 7 does."""
        self.is_pattern_without_query = False
        """Rejects a service with a query, as a pattern without `(\\?.*)?` does."""
        self.blocked: dict[str, int] = {}
        """Path prefix to the status of every response below it."""
        self.hangs = 0.0
        """Seconds before each response."""

    def knows(self, service: str) -> bool:
        return service == self.registered if self.is_pattern_without_query else service.startswith(self.registered)

    def answer(self, exchange: Exchange) -> None:
        request, usual = exchange.request_seen, exchange.reply

        def reply(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
            date = formatdate(time.time() + self.seconds_ahead, usegmt=True)
            usual(body, status=status, headers={"Date": date, **(headers or {})})

        exchange.reply = reply  # type: ignore[method-assign]  # for this one exchange
        named = request.value("service") or request.value("TARGET") or self.registered
        if self.hangs:
            exchange.pause(self.hangs)
        if self.redirects_to is not None:
            target = f"{self.redirects_to}{request.target.removeprefix('/cas')}"
            exchange.reply(b"", status=302, headers={"Location": target})
        elif self.fails_for_unknown and not named.startswith(self.registered):
            exchange.reply(b'status: 500\nmessage: "Unauthorized"', status=500, headers={"Content-Type": "text/plain"})
        elif request.path == "/cas/login" and "service" not in request.query:
            exchange.reply(b"<!DOCTYPE html><title>Sign in</title>", headers=PAGE)
        elif statuses := [status for path, status in self.blocked.items() if request.path.startswith(path)]:
            exchange.reply(b"<html>Blocked</html>", status=statuses[0], headers=PAGE)
        elif request.path == "/cas/login" and not self.knows(request.value("service")):
            exchange.reply(b"<!DOCTYPE html><title>Not authorized</title>", status=403, headers=PAGE)
        elif request.path in VALIDATE_PATHS and request.path not in self.paths:
            exchange.reply(b"<!DOCTYPE html><title>Nothing here</title>", status=404, headers=PAGE)
        else:
            super().answer(exchange)
            return
        self.requests.append(request)


Rule = Callable[["_ProxyHandler"], None]


@dataclass
class FrontProxy:
    """An https reverse proxy in front of a bridge, with rules that break it."""

    tls: ssl.SSLContext | None
    backend_port: int | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    """Path to its handler instead of forwarding; `*` for every path."""

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _ProxyHandler)
        self._server.front = self
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    front: FrontProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore failed handshakes, which tests cause on purpose."""


class _ProxyHandler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        front = cast(_Server, self.server).front
        self.content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        rule = front.rules.get(urlsplit(self.path).path) or front.rules.get("*")
        (rule or _ProxyHandler.forward)(self)

    do_POST = do_GET  # noqa: N815  the library's name for it

    def forward(self, drop: tuple[str, ...] = ()) -> None:
        port = cast(_Server, self.server).front.backend_port
        assert port is not None
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            headers = dict(self.headers.items()) | {"X-Forwarded-For": self.client_address[0]}
            connection.request(self.command, self.path, self.content, headers)
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in drop}
            self.reply(response.read(), status=response.status, headers=kept)
        except OSError:
            self.reply(b"<html>Bad gateway</html>", status=502, headers=PAGE)
        finally:
            connection.close()

    def reply(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def always(body: bytes, *, status: int = 200, **headers: Any) -> Rule:
    """Return a rule that sends a fixed response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.reply(body, status=status, headers=named)
