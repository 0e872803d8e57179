"""Test clients of a sign-in: a browser with its cookies, and an application with its OAuth client.

Both send requests through a `Wire`: to the WSGI application in this process, or to a listening bridge. The wire
collects every secret in `wire.secrets`, for the tests that search logs, and pending login ids in `wire.states`.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

Changes = str | None
TOKENS = ("access_token", "id_token", "refresh_token")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> dict[str, Any]:
        assert self.headers["Content-Type"] == "application/json", self.text
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document

    @property
    def location(self) -> str:
        """The redirect target; asserts that this is a redirect."""
        assert self.status == 303, f"{self.status}: {self.text}"
        return self.headers["Location"]

    @property
    def parameters(self) -> dict[str, str]:
        """The query of the redirect target; asserts that no parameter is repeated."""
        pairs = parse_qsl(urlsplit(self.location).query, keep_blank_values=True)
        assert len(dict(pairs)) == len(pairs), self.location
        return dict(pairs)

    @property
    def is_page(self) -> bool:
        return self.headers["Content-Type"] == "text/html; charset=utf-8" and "Location" not in self.headers


class Wire:
    """A transport for requests to the bridge."""

    def __init__(self, issuer: str, *, app: Flask | None = None, port: int | None = None) -> None:
        self.issuer, self._app, self._port = issuer, app, port
        self.secrets: set[str] = set()
        self.states: set[str] = set()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | str = b""
    ) -> Response:
        """Send one request to an absolute URL of the bridge or to a path."""
        target = url.removeprefix(f"https://{urlsplit(self.issuer).netloc}")
        target = target.removeprefix(f"http://{urlsplit(self.issuer).netloc}")
        content = body.encode() if isinstance(body, str) else body
        return (self._in_process if self._app else self._over_http)(method, target, dict(headers or {}), content)

    def _in_process(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        path, _, query = target.partition("?")
        parts = urlsplit(self.issuer)
        builder = EnvironBuilder(
            path, f"{parts.scheme}://{parts.netloc}", query, method=method, headers=Headers(headers), data=body
        )
        environ = builder.get_environ()
        builder.close()
        assert self._app is not None
        chunks, status, answered = run_wsgi_app(self._app.wsgi_app, environ, buffered=True)
        return Response(int(status.split()[0]), answered, b"".join(chunks))

    def _over_http(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        assert self._port is not None
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, target, body, headers | {"Host": urlsplit(self.issuer).netloc})
            response = connection.getresponse()
            return Response(response.status, Headers(response.getheaders()), response.read())
        finally:
            connection.close()


class Browser:
    """A user's browser, which keeps cookies and follows the login redirects."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.cookies: dict[str, str] = {}

    def get(self, url: str, **headers: str) -> Response:
        """Send a GET request to the bridge."""
        return self._ask("GET", url, headers, "")

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Response:
        """Post a form to the bridge."""
        return self._ask("POST", path, FORM | headers, urlencode(form))

    def log_in_at_cas(self, answer: Response) -> str:
        """Follow a redirect to CAS, and return the callback URL with the ticket."""
        parts = urlsplit(answer.location)
        assert parts.path == "/cas/login", answer.location
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}")
            callback = connection.getresponse().headers["Location"]
        finally:
            connection.close()
        sent = parse_qs(urlsplit(callback).query)
        self.wire.secrets |= set(sent.get("ticket", ()))
        self.wire.states |= set(sent["state"])
        assert callback.startswith(f"{self.wire.issuer}/cas/callback?state=")
        return callback

    def sign_in(self, request: str) -> Response:
        """Send an authorization request, log in at CAS and return the response of the callback."""
        return self.get(self.log_in_at_cas(self.get(request)))

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: str) -> Response:
        jar = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        answer = self.wire.send(method, url, headers={**jar, **headers}, body=body)
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
                    if morsel.value != "yes":  # not a secret, and a substring of many
                        self.wire.secrets.add(morsel.value)
        if "code=" in answer.headers.get("Location", ""):
            self.wire.secrets |= set(parse_qs(urlsplit(answer.headers["Location"]).query).get("code", ()))
        return answer


@dataclass
class App:
    """A registered OAuth client."""

    wire: Wire
    client_id: str = "hub"
    secret: str | None = None
    redirect_uri: str = "https://hub.example.org/hub/oauth_callback"
    state: str = "the app's own state"
    nonce: str = "the-nonce"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self.wire.secrets |= {self.verifier, *([self.secret] if self.secret else [])}

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def request(self, **changes: Changes) -> dict[str, str]:
        """Return the parameters of an authorization request; None removes one."""
        usual: dict[str, Changes] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email groups",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def authorization_url(self, *repeated: tuple[str, str], **changes: Changes) -> str:
        """Return the URL of an authorization request."""
        return f"{self.wire.issuer}/authorize?{urlencode([*self.request(**changes).items(), *repeated])}"

    def extract_code(self, answer: Response) -> str:
        """Return the code of an authorization response after checking `state` and `iss`."""
        assert answer.location.startswith(self.redirect_uri), answer.location
        given = answer.parameters
        assert given["state"] == self.state
        assert given["iss"] == self.wire.issuer
        return given["code"]

    def redeem(
        self, code: Changes, *repeated: tuple[str, str], basic: str | None = None, **changes: Changes
    ) -> Response:
        """Redeem a code with `client_secret_post`, or with HTTP Basic if `basic` holds credentials."""
        usual: dict[str, Changes] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "client_secret": self.secret,
            "code_verifier": self.verifier,
        }
        form = [(name, value) for name, value in {**usual, **changes}.items() if value is not None]
        return self.request_token([*form, *repeated], basic=basic)

    def request_token(self, form: Iterable[tuple[str, str]], *, basic: str | None = None) -> Response:
        """Post a form to the token endpoint."""
        header = {} if basic is None else {"Authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}
        answer = self.wire.send("POST", f"{self.wire.issuer}/token", headers=FORM | header, body=urlencode(list(form)))
        if answer.status == 200:
            self.wire.secrets |= {answer.json[name] for name in TOKENS if name in answer.json}
        return answer

    def refresh(self, refresh_token: Changes, **changes: Changes) -> Response:
        """Redeem a refresh token."""
        usual: dict[str, Changes] = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client_id,
            "client_secret": self.secret,
        }
        return self.request_token((name, value) for name, value in {**usual, **changes}.items() if value is not None)

    def query_token(self, token: str, *, endpoint: str = "introspect", **changes: Changes) -> Response:
        """Post a token to the introspection or the revocation endpoint."""
        usual: dict[str, Changes] = {"token": token, "client_id": self.client_id, "client_secret": self.secret}
        form = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        return self.wire.send("POST", f"{self.wire.issuer}/{endpoint}", headers=FORM, body=urlencode(form))

    def fetch_userinfo(self, token: str) -> Response:
        """Call the userinfo endpoint."""
        return self.wire.send("GET", f"{self.wire.issuer}/userinfo", headers={"Authorization": f"Bearer {token}"})
