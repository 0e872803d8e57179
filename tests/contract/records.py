"""Records as the rooms above would store them; every keyword changes a field."""

from __future__ import annotations

from typing import Any

from bridge.identity import Identity
from bridge.store import AccessToken, AuthorizationCode, PendingLogin, Session, Store, fingerprint

NOW = 1_800_000_000
DAY = 24 * 3600

ALICE = Identity(
    subject="alice",
    username="alice",
    name="Zoë <b>☃\x7f",
    email="alice@example.org",
    groups=("staff", "cn=a,dc=b"),
    attributes={"memberOf": ("a", "b"), "odd": ("", "\x00", "'; DROP TABLE sessions; --")},
    auth_time=NOW - 5,
    is_new_login=True,
)


def login(**changes: Any) -> PendingLogin:
    usual: dict[str, Any] = {
        "state_hash": fingerprint("state"),
        "browser_hash": fingerprint("browser"),
        "service": "https://auth.example.org/cas/callback?state=é'\"",
        "request": '{"any": "text"}',
        "renew": True,
        "attempt": 2,
        "expires_at": NOW + 600,
    }
    return PendingLogin(**{**usual, **changes})


def session(**changes: Any) -> Session:
    usual: dict[str, Any] = {
        "session_hash": fingerprint("session"),
        "identity": ALICE,
        "ticket_hash": fingerprint("ST-1"),
        "auth_time": NOW - 5,
        "expires_at": NOW + 8 * 3600,
    }
    return Session(**{**usual, **changes})


def code(**changes: Any) -> AuthorizationCode:
    usual: dict[str, Any] = {
        "code_hash": fingerprint("code"),
        "client_id": "hub",
        "session_hash": fingerprint("session"),
        "request": '{"scope": "openid"}',
        "issued_at": NOW,
        "expires_at": NOW + 60,
    }
    return AuthorizationCode(**{**usual, **changes})


def token_for(code: AuthorizationCode, session: Session) -> AccessToken:
    """What a provider would mint."""
    return AccessToken(
        token_hash=fingerprint(f"token of {code.code_hash}"),
        client_id=code.client_id,
        session_hash=session.session_hash,
        code_hash=code.code_hash,
        scope="openid profile",
        issued_at=NOW,
        expires_at=NOW + 3600,
    )


def token_hash(code: AuthorizationCode) -> str:
    return fingerprint(f"token of {code.code_hash}")


def claim(store: Store, state: str = "state", **changes: Any) -> PendingLogin | None:
    usual: dict[str, Any] = {"browser_hash": fingerprint("browser"), "ticket_hash": fingerprint("ST-1"), "now": NOW}
    return store.claim_pending_login(fingerprint(state), **{**usual, **changes})


def redeem(store: Store, **changes: Any) -> AuthorizationCode | None:
    usual: dict[str, Any] = {"now": NOW + 1, "mint": token_for}
    return store.redeem_code(fingerprint("code"), **{**usual, **changes})


def never(*_: object) -> AccessToken:
    raise AssertionError("nothing may be minted here")
