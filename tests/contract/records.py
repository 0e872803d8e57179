"""Sample records; keyword arguments change fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bridge.identity import Identity
from bridge.store import (
    AccessToken,
    AlreadyConsumed,
    AuthorizationCode,
    Consumed,
    ExpiredLogin,
    Grant,
    PendingLogin,
    Redeemed,
    Redemption,
    RefreshToken,
    Session,
    SigningKey,
    Store,
    StoredClient,
    TokenRecords,
    UnknownLogin,
    fingerprint,
)

NOW = 1_800_000_000
HOUR = 3600
DAY = 24 * HOUR
GRACE = 10
CODE_LIFETIME, ACCESS_LIFETIME, REFRESH_LIFETIME = 60, HOUR, 14 * DAY

ALICE = Identity(
    subject="alice",
    username="alice",
    name="Zoë <b>☃\x7f",
    email="alice@example.org",
    groups=("staff", "cn=a,dc=b"),
    claims={"schac_home": ["a", "b"]},
    attributes={"memberOf": ("a", "b"), "odd": ("", "\x00", "'; DROP TABLE sessions; --")},
    auth_time=NOW - 5,
    is_new_login=True,
)
BOB = Identity(subject="bob", username="bob")


def login(**changes: Any) -> PendingLogin:
    usual: dict[str, Any] = {
        "state_hash": fingerprint("state"),
        "browser_hash": fingerprint("browser"),
        "service": "https://auth.example.org/cas/callback?state=é'\"",
        "request": '{"any": "text"}',
        "renew": True,
        "gateway": False,
        "attempt": 2,
        "created_at": NOW,
        "expires_at": NOW + 600,
    }
    return PendingLogin(**{**usual, **changes})


def session(name: str = "session", **changes: Any) -> Session:
    usual: dict[str, Any] = {
        "sid": f"sid of {name}",
        "cookie_hash": fingerprint(f"cookie of {name}"),
        "identity": ALICE,
        "auth_time": NOW - 5,
        "created_at": NOW,
        "expires_at": NOW + 8 * HOUR,
        "browser_hash": fingerprint(f"browser of {name}"),
    }
    return Session(**{**usual, **changes})


def grant(name: str = "grant", **changes: Any) -> Grant:
    usual: dict[str, Any] = {
        "grant_id": name,
        "client_id": "hub",
        "sid": session().sid,
        "identity": ALICE,
        "scope": "openid profile",
        "request": '{"scope": "openid"}',
        "auth_time": NOW - 5,
        "offline": False,
        "created_at": NOW,
    }
    return Grant(**{**usual, **changes})


def own_grant(name: str = "own", **changes: Any) -> Grant:
    """A grant without a user (client credentials)."""
    userless: dict[str, Any] = {"sid": None, "identity": None, "auth_time": None, "request": "", "offline": True}
    return grant(name, **{**userless, **changes})


def code(secret: str = "code", **changes: Any) -> AuthorizationCode:
    usual: dict[str, Any] = {
        "code_hash": fingerprint(secret),
        "grant_id": "grant",
        "issued_at": NOW,
        "expires_at": NOW + CODE_LIFETIME,
    }
    return AuthorizationCode(**{**usual, **changes})


@dataclass(frozen=True)
class SampleIssue:
    """What `build` returns: records, and no tokens in plain text."""

    records: TokenRecords


def issue(secret: str, grant: Grant, *, now: int, refresh: bool = True, scope: str | None = None) -> SampleIssue:
    """An access token of this name, and a refresh token `refresh NAME`."""
    access_token = AccessToken(
        token_hash=fingerprint(secret),
        grant_id=grant.grant_id,
        scope=scope or grant.scope,
        issued_at=now,
        expires_at=now + ACCESS_LIFETIME,
    )
    refresh_token = RefreshToken(
        token_hash=fingerprint(f"refresh {secret}"),
        grant_id=grant.grant_id,
        issued_at=now,
        expires_at=now + REFRESH_LIFETIME,
    )
    return SampleIssue(TokenRecords(access_token=access_token, refresh_token=refresh_token if refresh else None))


def key(kid: str = "one", **changes: Any) -> SigningKey:
    usual: dict[str, Any] = {
        "algorithm": "RS256",
        "encrypted_private_jwk": "gibberish",
        "created_at": NOW,
        "active_from": NOW,
    }
    return SigningKey(kid=kid, **{**usual, **changes})


def client(client_id: str = "hub", **changes: Any) -> StoredClient:
    return StoredClient(**{"client_id": client_id, "document": '{"a": "é"}', "disabled": False, **changes})


def begin(store: Store, name: str = "session", **changes: Any) -> Session:
    """Begin a session with a ticket of its own."""
    begun = session(name, **changes)
    store.sessions.begin(begun, ticket_hash=fingerprint(f"ticket of {name}"))
    return begun


def allow(store: Store, name: str = "grant", secret: str = "code", **changes: Any) -> Grant:
    """Store a grant and a code for it."""
    allowed = grant(name, **changes)
    issued = {"issued_at": allowed.created_at, "expires_at": allowed.created_at + CODE_LIFETIME}
    store.grants.begin_with_code(allowed, code(secret, grant_id=name, **issued))
    return allowed


def consume(
    store: Store, state: str = "state", **changes: Any
) -> Consumed | AlreadyConsumed | ExpiredLogin | UnknownLogin:
    """Consume a login as the callback does."""
    usual: dict[str, Any] = {"browser_hashes": [fingerprint("browser")], "ticket_hash": fingerprint("ST-1"), "now": NOW}
    return store.pending_logins.consume(fingerprint(state), **{**usual, **changes})


def redeem(store: Store, secret: str = "code", *, gives: str = "access", now: int = NOW + 1) -> bool:
    """Redeem a code for new tokens of the name `gives`."""
    result = store.grants.redeem_code(
        fingerprint(secret), client_id="hub", now=now, build=lambda grant: issue(gives, grant, now=now)
    )
    return isinstance(result, Redeemed)


def rotate(
    store: Store, token: str, build: Callable[[Grant], SampleIssue], *, now: int = NOW + 2
) -> Redemption[SampleIssue]:
    return store.grants.rotate_refresh_token(fingerprint(token), client_id="hub", now=now, grace=GRACE, build=build)


def refresh(store: Store, token: str, *, now: int = NOW + 2, scope: str | None = None) -> bool:
    """Refresh as the token endpoint does: the tokens depend on the presented one and on the scope."""

    def build(grant: Grant) -> SampleIssue:
        records = issue(f"after {token}", grant, now=now).records
        narrow = issue(f"after {token} with {scope}", grant, now=now, scope=scope).records
        return SampleIssue(replace(records, access_token=narrow.access_token) if scope else records)

    return isinstance(rotate(store, token, build, now=now), Redeemed)


def works(store: Store, access_token: str, *, now: int = NOW + 3) -> bool:
    return store.grants.find_access_token(fingerprint(access_token), now=now) is not None


def refreshes(store: Store, refresh_token: str, *, now: int = NOW + 3) -> bool:
    return store.grants.find_refresh_token(fingerprint(refresh_token), now=now) is not None


def never(_: Grant) -> SampleIssue:
    raise AssertionError("no tokens may be built here")


class RejectedError(Exception):
    """Raised by a `build` that rejects the request."""


def reject(_: Grant) -> SampleIssue:
    raise RejectedError
