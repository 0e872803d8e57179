"""The bridge of these tests, and its clients."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from bridge.store import Store
from tests.support.bridge.actors import Wire
from tests.support.clock import Clock

ISSUER = "https://auth.example.org"
SECRET_KEY = "the key of the tests, long enough"
HUB_SECRET = "hub-secret+with:reserved%and&more"

CLIENTS: list[dict[str, Any]] = [
    {
        "client_id": "hub",
        "client_name": "JupyterHub",
        "client_secret": HUB_SECRET,
        "redirect_uris": ["https://hub.example.org/hub/oauth_callback"],
    },
    {
        "client_id": "portal",
        "client_name": "<b>Portal</b>",
        "client_secret": "portal-secret",
        "redirect_uris": ["https://portal.example.org/cb?tenant=a%2Fb", "https://portal.example.org/other"],
    },
    {"client_id": "cli", "redirect_uris": ["http://127.0.0.1/cb", "http://[::1]/cb"], "consent": False},
    {
        "client_id": "old",
        "client_secret": "old-secret-of-old",
        "redirect_uris": ["https://old.example.org/cb"],
        "require_pkce": False,
        "scopes": ["openid", "profile"],
    },
    {
        "client_id": "notes",
        "client_secret": "the secret of notes",
        "redirect_uris": ["https://notes.example.org/cb"],
        "scopes": ["openid", "profile", "email", "offline_access"],
        "consent": False,
        "grant_types": ["authorization_code", "refresh_token"],
    },
    {
        "client_id": "asks",
        "client_secret": "the secret of asks",
        "redirect_uris": ["https://asks.example.org/cb"],
        "scopes": ["openid", "profile", "email"],
        "consent": True,
    },
    {
        "client_id": "robot",
        "client_secret": "the secret of the robot",
        "scopes": ["openid", "jobs:read", "jobs:write"],
        "grant_types": ["client_credentials"],
    },
]

# Rate limits are high, because few tests are about them.
LIMITED = ("client_failures", "address_failures", "bad_tokens", "bad_callbacks")


@dataclass(frozen=True)
class Running:
    """A running bridge with its parts."""

    wire: Wire
    app: Flask
    clock: Clock
    store: Store
    database: Path


def events(lines: list[str], name: str) -> list[dict[str, Any]]:
    """Return the logged events with a name."""
    return [event for event in map(json.loads, lines) if event["event"] == name]


def environment(cas_url: str, database: Path) -> dict[str, str]:
    return {
        "PASSERELLE_ISSUER": ISSUER,
        "PASSERELLE_CAS_URL": cas_url,
        "PASSERELLE_SECRET_KEY": SECRET_KEY,
        "PASSERELLE_DATABASE_URL": f"sqlite:///{database}",
        "PASSERELLE_CLIENTS": json.dumps(CLIENTS),
        **{f"PASSERELLE_{name.upper()}_PER_MINUTE": "100000" for name in LIMITED},
    }
