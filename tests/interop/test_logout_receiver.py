"""The hub's back-channel logout endpoint, with logout tokens that the test signs as the provider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from hub.auth.backchannel_logout import MIN_FETCH_INTERVAL
from hub.auth.logout_token import LOGOUT_EVENT
from tests.support.hub.hub_process import HubProcess

ISSUER = "https://auth.example.org"


@dataclass
class Provider:
    """A provider that has only keys."""

    hub: HubProcess
    key: ec.EllipticCurvePrivateKey
    served: dict[str, Any]

    def token(self, jti: str, **changes: Any) -> str:
        """Return a logout token for an unknown session."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "jupyterhub", "iat": now, "exp": now + 120, "jti": jti, "sid": "unknown"}
        return jwt.encode(
            claims | {"events": {LOGOUT_EVENT: {}}} | changes,
            self.key,
            algorithm="ES256",
            headers={"kid": self.served["kid"], "typ": "logout+jwt"},
        )

    def post(self, body: Any, **more: Any) -> requests.Response:
        """Send a form, or bytes with headers."""
        return requests.post(f"{self.hub.url}/hub/backchannel_logout", data=body, timeout=20, **more)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    hub = HubProcess(tmp_path_factory.mktemp("receiver"))
    key = ec.generate_private_key(ec.SECP256R1())
    served: dict[str, Any] = {"kid": "first", "requests": 0}

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served["requests"] += 1
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": served["kid"], "alg": "ES256"}
            body = json.dumps({"keys": [public]}).encode()
            self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.with_environment({"AUTH_INTERNAL_URL": f"http://127.0.0.1:{server.server_port}"})
    with hub:
        yield Provider(hub, key, served)
    server.shutdown()
    server.server_close()


def test_unknown_session_is_accepted(provider: Provider) -> None:
    answer = provider.post({"logout_token": provider.token("accepted")})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_rejection_has_json_error_and_is_not_cached(provider: Provider) -> None:
    answer = provider.post({"logout_token": provider.token("rejected", nonce="n")})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"].startswith("application/json")


def test_replayed_token_is_rejected_even_after_restart(provider: Provider) -> None:
    token = provider.token("replayed")
    assert provider.post({"logout_token": token}).status_code == 200
    assert provider.post({"logout_token": token}).status_code == 400
    provider.hub.stop()
    provider.hub.start()
    answer = provider.post({"logout_token": token})
    assert (answer.status_code, answer.json()["error_description"]) == (400, "jti was received before")


def test_other_content_type_is_rejected(provider: Provider) -> None:
    body = f"logout_token={provider.token('typed')}".encode()
    for content_type in ("application/json", "text/plain", "multipart/form-data; boundary=b"):
        assert provider.post(body, headers={"Content-Type": content_type}).status_code == 400
    accepted = "application/x-www-form-urlencoded; charset=UTF-8"
    assert provider.post(body, headers={"Content-Type": accepted}).status_code == 200


def test_missing_or_repeated_token_is_rejected(provider: Provider) -> None:
    assert provider.post({"other": "value"}).status_code == 400
    token = provider.token("repeated")
    assert provider.post([("logout_token", token), ("logout_token", token)]).status_code == 400


def test_oversized_request_is_rejected(provider: Provider) -> None:
    answer = provider.post({"logout_token": provider.token("large"), "filler": "x" * 40_000})
    assert answer.status_code == 400


def test_token_in_the_query_is_ignored(provider: Provider) -> None:
    answer = requests.post(
        f"{provider.hub.url}/hub/backchannel_logout?logout_token={provider.token('query')}", timeout=20
    )
    assert answer.status_code == 400


def test_unknown_keys_cause_few_fetches(provider: Provider) -> None:
    provider.post({"logout_token": provider.token("before")})
    before, began = provider.served["requests"], time.monotonic()
    for n in range(20):
        forged = jwt.encode({}, provider.key, algorithm="ES256", headers={"kid": f"unknown-{n}"})
        assert provider.post({"logout_token": forged}).status_code == 400
    permitted = 1 + (time.monotonic() - began) / MIN_FETCH_INTERVAL
    assert provider.served["requests"] - before <= permitted
