"""What the tests of `bridge.check` judge: answers, certificates, and who is asked."""

from __future__ import annotations

from typing import Any

from bridge.check.certificates import Certificate, Trust
from bridge.check.probe import Answer, Trouble

NOW = 1_800_000_000.0
DAY = 86400.0
ISSUER = "https://auth.example.org"
SERVICE = f"{ISSUER}/cas/callback?state=passerelle-check"
TRUST = Trust(whose="CAS", setting="PASSERELLE_CAS_CA_FILE", now=NOW)
NOTHING = Trouble(url=f"{ISSUER}/", kind="refused", detail="Connection refused")


FORM = b'<form method="post"><input name=u><input\nname="p" type="password"></form>'


def answer(status: int = 200, body: bytes = b"", url: str = f"{ISSUER}/x", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(url=url, status=status, headers=named, body=body, received_at=NOW)


def certificate(**facts: Any) -> Certificate:
    usual = {
        "subject": "sso",
        "issuer": "CA",
        "names": ("sso.example.org",),
        "begins": NOW - DAY,
        "ends": NOW + 90 * DAY,
    }
    return Certificate(**{**usual, **facts})
