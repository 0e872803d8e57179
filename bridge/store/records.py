"""What is stored. Times are Unix seconds; a `…_hash` is a `fingerprint`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bridge.identity import Identity


def fingerprint(secret: str) -> str:
    """SHA-256 in hexadecimal: how tickets, codes, tokens and cookie values are kept.

    They are random with 128 bits or more, so a fast hash without salt gives nothing away.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """An authorization waiting for CAS."""

    state_hash: str
    browser_hash: str
    """Of the cookie that only the browser which began holds: a ticket from elsewhere is refused."""
    service: str
    """The service URL as it was sent to CAS; tickets are validated with this very string."""
    request: str
    """The authorization request, as its own room writes it."""
    renew: bool
    """Whether CAS was told to ask for the password again."""
    gateway: bool
    """Whether CAS was told to ask nothing at all."""
    attempt: int
    """1, or 2 after the one silent restart."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser signed in at the bridge."""

    sid: str
    """Its public name: the `sid` of ID tokens and logout tokens. Gives no access."""
    cookie_hash: str
    identity: Identity
    auth_time: int | None
    """When the user proved who they are; None when CAS does not say."""
    created_at: int
    expires_at: int
    browser_hash: str | None = None
    """Of the cookie that the sign-in began with, as in `PendingLogin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a user (or nobody) allowed a client to do: all that codes and tokens have in common.

    Revoking it takes back every code and token that was given out under it, at once.
    """

    grant_id: str
    client_id: str
    sid: str | None
    """The session that it came from; None for a client that acts for itself."""
    identity: Identity | None
    """The user; None for a client that acts for itself."""
    scope: str
    request: str
    """The authorization request that it answers, as its own room writes it; empty without one."""
    auth_time: int | None
    offline: bool
    """Whether it outlives the session (offline_access)."""
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A code on its way through the browser to a client."""

    code_hash: str
    grant_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token that was given out."""

    token_hash: str
    grant_id: str
    scope: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token that was given out; the first use replaces it."""

    token_hash: str
    grant_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What one request at the token endpoint gives out, to be stored in the transaction that pays for it."""

    access_token: AccessToken
    refresh_token: RefreshToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, encrypted by the room that uses it."""

    kid: str
    algorithm: str
    encrypted_private_jwk: str
    created_at: int
    active_from: int
    """It is published from `created_at` on and signs from here on, until a later one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClient:
    """A client that `passerelle clients` manages."""

    client_id: str
    document: str
    """Its settings as JSON, secrets hashed."""
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutDelivery:
    """A client that has to be told that a session ended (OIDC Back-Channel Logout)."""

    delivery_id: int
    client_id: str
    sid: str
    subject: str
    uri: str
    created_at: int
    attempts: int
    next_attempt_at: int | None
    """None when it was given up."""
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAccess:
    """That an application holds access to a user's data now, for the user's own page."""

    client_id: str
    scope: str
    since: int
    until: int
