"""A CAS server on loopback that can misbehave in any way, and behaves correctly by default.

In a test:      with ScriptedCas() as cas: cas.script = cas_scripts.redirect("https://elsewhere.example/")
On its own:     python -m tests.support.cas.scripted_cas --port 9001

Without a script, /cas/login logs the user in at once and redirects back with a new ticket, and
/cas/p3/serviceValidate accepts each ticket once, for its exact service. The other protocols work the same way, with
JSON on request. A script replaces the validation only. HTTP is parsed by hand, because the standard library's server
is slower than a login.
"""

from __future__ import annotations

import argparse
import re
import secrets
import socketserver
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, cast
from urllib.parse import parse_qs, quote, urlsplit

from tests.support.cas import cas_responses, cas_xml

VALIDATE_PATHS = ("/cas/p3/serviceValidate", "/cas/serviceValidate", "/cas/validate", "/cas/samlValidate")
JSON = {"Content-Type": "application/json"}
ALICE: Mapping[str, Sequence[str]] = {
    "uid": ("alice",),
    "mail": ("alice@example.org",),
    "displayName": ("Alice Liddell",),
    "givenName": ("Alice",),
    "sn": ("Liddell",),
    "groups": ("staff", "jupyter-admins"),
    "eduPersonAffiliation": ("staff", "member"),
}


@dataclass(frozen=True)
class Request:
    """A received request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def value(self, name: str) -> str:
        """Return the first value of a parameter, or an empty string."""
        return self.query.get(name, [""])[0]


class Exchange(socketserver.StreamRequestHandler):
    """A connection and its current request. Scripts write through it."""

    disable_nagle_algorithm = True
    request_seen: Request

    @property
    def cas(self) -> ScriptedCas:
        return cast(_Server, self.server).cas

    def handle(self) -> None:
        self.keep_alive = True
        try:
            while self.keep_alive and (line := self.rfile.readline().split()):
                headers = {}
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = self.rfile.read(int(headers.get("content-length", "0")))
                self.request_seen = Request(line[0].decode(), line[1].decode(), headers, body)
                self.keep_alive = headers.get("connection", "").lower() != "close"
                self.cas.answer(self)
        except OSError:
            pass  # the client closed the connection, which many tests intend

    def send(self, raw: bytes) -> None:
        self.wfile.write(raw)

    def reply(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a complete response."""
        self.send(head(status, {"Content-Length": str(len(body)), **(headers or {})}) + body)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        if self.cas.closing.wait(seconds):
            raise ConnectionAbortedError


Script = Callable[[Exchange], None]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the status line and headers of a response."""
    lines = {"Content-Type": "text/xml; charset=utf-8", **headers}
    return "".join(
        [f"HTTP/1.1 {status} Scripted\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items()), "\r\n"]
    ).encode("latin-1")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    cas: ScriptedCas

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken handshakes and aborted connections, which tests cause."""


class ScriptedCas:
    """A CAS server that runs in threads of this process between __enter__ and __exit__."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.script: Script | None = None
        self.signed_in = True
        self.requests: deque[Request] = deque(maxlen=10_000)
        self.closing = threading.Event()
        self._tickets: dict[str, str] = {}
        self.sign_in_as("alice", ALICE)
        self._server = _Server((host, port), Exchange)
        self._server.cas = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}/cas"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def sign_in_as(self, user: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Set the user of the next validation responses."""
        facts = {
            "authenticationDate": (datetime.now(UTC).isoformat(),),
            "longTermAuthenticationRequestTokenUsed": ("false",),
            "isFromNewLogin": ("true",),
        }
        self._signed_in = (user, {**facts, **attributes})
        self._success = cas_xml.signed_in(*self._signed_in)

    def issue_ticket(self, service: str) -> str:
        """Issue a ticket, as the login page does."""
        ticket = f"ST-{secrets.token_urlsafe(24)}"
        self._tickets[ticket] = service
        return ticket

    @property
    def validations(self) -> list[Request]:
        """The validation requests received, oldest first."""
        return [seen for seen in self.requests if seen.path in VALIDATE_PATHS]

    def answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request_seen)
        path = exchange.request_seen.path
        if path == "/cas/login":
            self.login(exchange)
        elif path in VALIDATE_PATHS:
            (self.script or self.validate)(exchange)
        else:
            exchange.reply(b"no such page", status=404, headers={"Content-Type": "text/plain"})

    def login(self, exchange: Exchange) -> None:
        request = exchange.request_seen
        service = request.value("service")
        if not self.signed_in and request.value("gateway") != "true":
            page = b"<!DOCTYPE html><title>Sign in</title><form>user, password</form>"
            return exchange.reply(page, headers={"Content-Type": "text/html"})
        if self.signed_in:
            joint = "&" if "?" in service else "?"
            service += f"{joint}ticket={quote(self.issue_ticket(service), safe='')}"
        return exchange.reply(b"", status=302, headers={"Location": service})

    def validate(self, exchange: Exchange) -> None:
        request = exchange.request_seen
        ticket, service = request.value("ticket"), request.value("service")
        if request.path == "/cas/samlValidate":
            artifact = re.search(rb"<samlp:AssertionArtifact>([^<]*)<", request.body)
            ticket, service = artifact[1].decode() if artifact else "", request.value("TARGET")
        meant_for = self._tickets.pop(ticket, None)  # single use, whatever the outcome
        if meant_for is None:
            self.reply_failure(exchange, "INVALID_TICKET", f"Ticket '{ticket}' not recognized")
        elif meant_for != service:
            self.reply_failure(
                exchange, "INVALID_SERVICE", f"'{ticket}' is not for '{service}': does not match supplied service"
            )
        else:
            self.reply_success(exchange, service)

    def reply_success(self, exchange: Exchange, service: str) -> None:
        """Send a success in the requested format."""
        request, (user, attributes) = exchange.request_seen, self._signed_in
        if request.path == "/cas/validate":
            exchange.reply(f"yes\n{user}\n".encode(), headers={"Content-Type": "text/plain"})
        elif request.path == "/cas/samlValidate":
            exchange.reply(cas_responses.saml_signed_in(user, attributes, service=service, now=time.time()))
        elif request.value("format") == "JSON":
            listed = {name: list(values) for name, values in attributes.items()}
            exchange.reply(cas_responses.json_success(user, attributes=listed), headers=JSON)
        else:
            exchange.reply(self._success)

    def reply_failure(self, exchange: Exchange, code: str, text: str) -> None:
        """Send a failure in the requested format."""
        if (request := exchange.request_seen).path == "/cas/validate":
            exchange.reply(b"no\n\n", headers={"Content-Type": "text/plain"})
        elif request.path == "/cas/samlValidate":
            exchange.reply(cas_responses.saml_failure(text))
        elif request.value("format") == "JSON":
            exchange.reply(
                cas_responses.json_response(authenticationFailure={"code": code, "description": text}), headers=JSON
            )
        else:
            exchange.reply(cas_xml.failure(code, text))


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted CAS server for tests, on loopback only.")
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    with ScriptedCas(port=port) as cas:
        print(f"scripted CAS on {cas.url}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
