"""The logout endpoint as a fuzzing target, in a bridge in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

import structlog
from flask import Flask

from bridge.app import create_app
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
    """Return a function that sends bytes to a new bridge and fails on an unexpected status."""
    app = _bridge()

    def call(body: bytes) -> None:
        method, target, content_type = WAYS[len(body) % len(WAYS)]
        if method == "GET":
            target += quote_from_bytes(body[:QUERY_BYTES_MAX], safe="&=%+")
            body = b""
        path, _, query = target.partition("?")
        # A new client per request: one request must not affect another.
        answer = app.test_client().open(
            path, base_url=ISSUER, method=method, query_string=query, data=body, content_type=content_type
        )
        assert answer.status_code in ANSWERS, answer.status_code

    return call


def _bridge() -> Flask:
    """Create a bridge for this process that logs nothing."""
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
    app.test_client().get("/healthz", base_url=ISSUER)  # the first request loads shared modules
    return app
