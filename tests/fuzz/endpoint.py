"""The logout endpoint as a whole: a bridge in this process, and whatever bytes a stranger sends to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

import structlog
from flask import Flask

from bridge import create_app
from bridge.settings import load

ISSUER = "https://auth.localhost"
WAYS: tuple[tuple[str, str, str], ...] = (
    ("POST", "/cas/logout", "application/x-www-form-urlencoded"),
    ("POST", "/cas/logout", "text/xml"),
    ("POST", "/cas/logout", "multipart/form-data; boundary=b"),
    ("POST", "/cas/logout", ""),
    ("POST", "/cas/callback?state=x", "application/x-www-form-urlencoded"),
    ("GET", "/cas/logout?logoutRequest=", ""),
    ("GET", "/cas/logout?", ""),
    ("GET", "/cas/callback?logoutRequest=", ""),
)
QUERY_BYTES_MAX = 8_000
ANSWERS = frozenset({200, 303, 400, 413})


def endpoint() -> Callable[[bytes], None]:
    """A caller of a fresh bridge, which fails when an answer is not one of those that the endpoint has."""
    app = _bridge()

    def call(body: bytes) -> None:
        method, target, content_type = WAYS[len(body) % len(WAYS)]
        if method == "GET":
            target += quote_from_bytes(body[:QUERY_BYTES_MAX], safe="&=%+")
            body = b""
        path, _, query = target.partition("?")
        # A client of its own for each request: what one sends must not depend on what another got.
        answer = app.test_client().open(
            path, base_url=ISSUER, method=method, query_string=query, data=body, content_type=content_type
        )
        assert answer.status_code in ANSWERS, answer.status_code

    return call


def _bridge() -> Flask:
    """One that lives as long as this process and logs nothing."""
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    folder = tempfile.mkdtemp(prefix="passerelle-fuzz-bridge-")
    database = Path(folder, "bridge.sqlite3")
    app = create_app(
        load(
            {
                "PASSERELLE_ISSUER": ISSUER,
                "PASSERELLE_CAS_URL": "https://cas.localhost/cas",
                "PASSERELLE_SECRET_KEY": "the key of the fuzzer, long enough",
                "PASSERELLE_DATABASE_URL": f"sqlite:///{database}",
            }
        )
    )
    app.test_client().get("/healthz", base_url=ISSUER)  # the first request loads what all others use
    return app
