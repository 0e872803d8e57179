"""One sign-in of a hub's user, with one request for each step."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.bench.servers import CLIENT_ID, ISSUER, REDIRECT_URI, Addresses

TIMEOUT_SECONDS = 30


class StepFailedError(Exception):
    """An unexpected response."""


@dataclass
class SignIn:
    """The state of one sign-in between its steps."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(43))
    cookies: dict[str, str] = field(default_factory=dict)
    cas_target: str = ""
    callback_target: str = ""
    code: str = ""
    access_token: str = ""
    step_seconds: float = 0.0
    """Time spent waiting for the bridge, without the requests to CAS."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Line:
    """A keep-alive connection to the bridge and one to CAS, as a reverse proxy holds them."""

    def __init__(self, addresses: Addresses, client_secret: str) -> None:
        self._bridge = _connection(addresses.bridge)
        self._cas = _connection(addresses.cas)
        self._client_secret = client_secret

    def close(self) -> None:
        self._bridge.close()
        self._cas.close()

    def authorize(self, sign_in: SignIn) -> None:
        """Browser → bridge: redirect to CAS."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sign_in.code_verifier.encode()).digest()).rstrip(b"=")
        question = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": "openid profile email groups",
            "state": sign_in.state,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        answer = self._ask(sign_in, "GET", f"/authorize?{urlencode(question)}", expected=303)
        sign_in.cas_target = _path_and_query(answer.headers["Location"])

    def log_in_at_cas(self, sign_in: SignIn) -> None:
        """Browser → CAS with a session: redirect with a ticket; not counted."""
        self._cas.request("GET", sign_in.cas_target)
        with self._cas.getresponse() as response:
            response.read()
        if response.status not in (302, 303):
            raise StepFailedError(f"the scripted CAS answered {response.status}")
        sign_in.callback_target = _path_and_query(response.headers["Location"])

    def callback(self, sign_in: SignIn) -> None:
        """Browser → bridge, which validates the ticket: redirect to the client with a code."""
        answer = self._ask(sign_in, "GET", sign_in.callback_target, expected=303)
        location = answer.headers["Location"]
        answered = parse_qs(urlsplit(location).query)
        if not location.startswith(f"{REDIRECT_URI}?") or answered.get("state") != [sign_in.state]:
            raise StepFailedError("callback: led elsewhere than to the application with its state")
        sign_in.code = answered["code"][0]

    def token(self, sign_in: SignIn) -> None:
        """Client → bridge: redeem the code with client_secret_post."""
        form = {
            "grant_type": "authorization_code",
            "code": sign_in.code,
            "redirect_uri": REDIRECT_URI,
            "client_id": CLIENT_ID,
            "client_secret": self._client_secret,
            "code_verifier": sign_in.code_verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._ask(sign_in, "POST", "/token", urlencode(form), headers, expected=200)
        build_token_records = json.loads(answer.body)
        if "id_token" not in build_token_records:
            raise StepFailedError("token: no ID token came")
        sign_in.access_token = build_token_records["access_token"]

    def userinfo(self, sign_in: SignIn) -> None:
        """Client → bridge: fetch userinfo."""
        headers = {"Authorization": f"Bearer {sign_in.access_token}"}
        claims = json.loads(self._ask(sign_in, "GET", "/userinfo", headers=headers, expected=200).body)
        if claims.get("sub") != "alice" or not claims.get("groups"):
            raise StepFailedError("userinfo: not alice with her groups")

    def healthz(self, sign_in: SignIn) -> None:
        """Measure the base cost of a request."""
        self._ask(sign_in, "GET", "/healthz", expected=200)

    def _ask(
        self,
        sign_in: SignIn,
        method: str,
        target: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        expected: int,
    ) -> _Answer:
        """Send a request with the usual headers of a browser, because the bridge has to parse them."""
        sent = {"Host": urlsplit(ISSUER).netloc, "User-Agent": "Passerelle bench", "Accept": "*/*", **(headers or {})}
        if sign_in.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in sign_in.cookies.items())
        began = time.perf_counter()
        self._bridge.request(method, target, body, sent)
        with self._bridge.getresponse() as response:
            answer = _Answer(response.status, response.headers, response.read())
        sign_in.step_seconds += time.perf_counter() - began
        if answer.status != expected:  # not the target, because it contains the ticket
            raise StepFailedError(f"{urlsplit(target).path}: {answer.status} in place of {expected}")
        for cookie in answer.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            sign_in.cookies[name] = value
        return answer


Step = Callable[[Line, SignIn], None]
STEPS: tuple[Step, ...] = (Line.authorize, Line.log_in_at_cas, Line.callback, Line.token, Line.userinfo)


def _connection(base_url: str) -> http.client.HTTPConnection:
    parts = urlsplit(base_url)
    if parts.hostname != "127.0.0.1":
        raise ValueError(f"{base_url} is not on loopback")
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)


def _path_and_query(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"
