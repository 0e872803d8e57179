"""Values for the tests of `bridge.check`: responses, failures and certificates."""

from __future__ import annotations

from typing import Any

from bridge.check.certificates import Certificate, TrustConfig
from bridge.check.probe import Failure, Response

NOW = 1_800_000_000.0
DAY = 86400.0
ISSUER = "https://auth.example.org"
SERVICE = f"{ISSUER}/cas/callback?state=passerelle-check"
TRUST = TrustConfig(owner="CAS", setting="PASSERELLE_CAS_CA_FILE", now=NOW)
NO_RESPONSE = Failure(url=f"{ISSUER}/", kind="refused", detail="Connection refused")


FORM = b'<form method="post"><input name=u><input\nname="p" type="password"></form>'


def response(status: int = 200, body: bytes = b"", url: str = f"{ISSUER}/x", **headers: str) -> Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(url=url, status=status, headers=fields, body=body, received_at=NOW)


def certificate(**facts: Any) -> Certificate:
    defaults = {
        "subject": "sso",
        "issuer": "CA",
        "names": ("sso.example.org",),
        "begins": NOW - DAY,
        "ends": NOW + 90 * DAY,
    }
    return Certificate(**{**defaults, **facts})
