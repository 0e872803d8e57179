"""Servers and users of the conformance tests: a bridge behind TLS, a CAS with passwords, users with browsers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests

from tests.support.bridge.html_forms import Form, parse_forms
from tests.support.cas.scripted_cas import ALICE, Exchange, ScriptedCas

RELYING_PARTY = "https://rp.example.org"
CALLBACK = f"{RELYING_PARTY}/callback"
AFTER_LOGOUT = f"{RELYING_PARTY}/post_logout_redirect"
SCOPES = ("openid", "profile", "email", "groups", "eduperson", "offline_access")
# idpyoidc does not encode credentials of the Basic header (RFC 6749 §2.3.1), so one secret needs no encoding.
CLIENT_SECRETS = {"basic": "the-secret-of-basic", "second": "the/second+with:reserved%signs"}


def clients(backchannel_logout_uri: str) -> list[dict[str, Any]]:
    """Return two similar clients, as the certification requires; PKCE is off, because most modules do not send it."""
    return [
        {
            "client_id": client_id,
            "client_secret": secret,
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [AFTER_LOGOUT],
            "backchannel_logout_uri": backchannel_logout_uri,
            "scopes": SCOPES,
            "consent": False,
            "grant_types": ["authorization_code", "refresh_token"],
            "require_pkce": False,
        }
        for client_id, secret in CLIENT_SECRETS.items()
    ]


def change_query(url: str, **changes: str | None) -> str:
    """Return a URL with changed query parameters; None removes a parameter."""
    address, _, query = url.partition("?")
    pairs = {**dict(parse_qsl(query)), **changes}
    return f"{address}?{urlencode({name: value for name, value in pairs.items() if value is not None})}"


class TlsProxy:
    """A TLS proxy in front of a local port, which forwards the bytes unchanged."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._backend = port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate / "server.crt", certificate / "server.key")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        # Not localhost, because cryptojwt does not verify its certificate.
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            browser = stack.enter_context(self._tls.wrap_socket(client, server_side=True))
            bridge = stack.enter_context(socket.create_connection(("127.0.0.1", self._backend)))
            back = threading.Thread(target=_pump, args=(bridge, browser), daemon=True)
            back.start()
            _pump(browser, bridge)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class PasswordCas(ScriptedCas):
    """A CAS with a session; it requires a password without a session or with `renew`."""

    def __init__(self) -> None:
        super().__init__()
        self.signed_in = False
        self.passwords_typed = 0

    def answer(self, exchange: Exchange) -> None:
        if exchange.request_seen.path != "/cas/logout":
            return super().answer(exchange)
        self.signed_in = False
        return exchange.reply(b"<!DOCTYPE html><title>Signed out</title>", headers={"Content-Type": "text/html"})

    def login(self, exchange: Exchange) -> None:
        """Log in; the user always enters the password at once."""
        request = exchange.request_seen
        required = request.value("renew") == "true" or not self.signed_in
        if required and request.value("gateway") != "true":
            self.passwords_typed += 1
            self.sign_in_as("alice", ALICE)
            self.signed_in = True
        super().login(exchange)


@dataclass(frozen=True)
class Landing:
    """The last response of a navigation: a client's redirect URI or a page of the bridge."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    """Status of the page; None at a client's redirect URI."""
    text: str = ""
    was_posted: bool = False

    @property
    def is_page(self) -> bool:
        return self.status is not None


class Person:
    """A user's browser: it follows redirects, keeps cookies, verifies certificates and submits auto-submit forms."""

    def __init__(self, issuer: str, cas_url: str, certificate: Path) -> None:
        self.issuer = issuer
        self._ours = {urlsplit(issuer).netloc, urlsplit(cas_url).netloc}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(certificate / "server.crt")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str) -> Landing:
        return self._navigate("GET", url, None)

    def post(self, url: str, form: Mapping[str, str]) -> Landing:
        return self._navigate("POST", url, form)

    def submit_form(self, page: Landing, *, button: tuple[str, str] | None = None) -> Landing:
        """Submit the form of a page."""
        form = parse_forms(page.text)[0]
        return self.post(urljoin(page.url, form.action), form.fields | dict([button] if button else []))

    def _navigate(self, method: str, url: str, form: Mapping[str, str] | None) -> Landing:
        for _ in range(12):
            if urlsplit(url).netloc not in self._ours:
                return Landing(url, dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
            answer = self._session.request(method, url, data=form, allow_redirects=False, timeout=15)
            if answer.is_redirect:
                method, url, form = "GET", urljoin(url, answer.headers["Location"]), None
                continue
            if elsewhere := self._auto_submit_form(answer.text):
                return Landing(elsewhere.action, elsewhere.fields, was_posted=True)
            return Landing(url, status=answer.status_code, text=answer.text)
        raise AssertionError(f"redirect loop: {url}")

    def _auto_submit_form(self, page: str) -> Form | None:
        """Return the form that the page's script would submit to the client."""
        return next((form for form in parse_forms(page) if form.action.startswith(RELYING_PARTY)), None)
