"""Stored records, and results of operations. Times are Unix seconds; a `…_hash` is a `fingerprint`."""

import hashlib
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bridge.identity import Identity


def fingerprint(secret: str) -> str:
    """Return the SHA-256 hash of a ticket, code, token or cookie value, in hexadecimal.

    These have 128 random bits or more, so a fast hash without salt is safe.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """An authorization request waiting for CAS."""

    state_hash: str
    browser_hash: str
    """Hash of the login cookie; binds the callback to the browser."""
    service: str
    """The service URL sent to CAS; the ticket is validated with this exact string."""
    request: str
    """The serialized authorization request."""
    renew: bool
    """Sent to CAS with `renew=true`."""
    gateway: bool
    """Sent to CAS with `gateway=true`."""
    attempt: int
    """1, or 2 after the automatic restart."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser signed in at the bridge."""

    sid: str
    """Public identifier, from which the `sid` claim is derived. It grants no access."""
    cookie_hash: str
    identity: Identity
    auth_time: int | None
    """Time of authentication, or None if CAS does not report it."""
    created_at: int
    expires_at: int
    browser_hash: str | None = None
    """Hash of the login cookie, as in `PendingLogin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An authorization that a client has. Its codes and tokens are revoked with it."""

    grant_id: str
    client_id: str
    sid: str | None
    """The session it was made in; None without a user."""
    identity: Identity | None
    """The user; None for the client credentials grant."""
    scope: str
    request: str
    """The serialized authorization request; empty without one."""
    auth_time: int | None
    offline: bool
    """Outlives the session (`offline_access`)."""
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """An authorization code."""

    code_hash: str
    grant_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An issued access token."""

    token_hash: str
    grant_id: str
    scope: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """An issued refresh token; the first use rotates it."""

    token_hash: str
    grant_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecords:
    """The records of the tokens in one response."""

    access_token: AccessToken
    refresh_token: RefreshToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An encrypted private key."""

    kid: str
    algorithm: str
    encrypted_private_jwk: str
    created_at: int
    active_from: int
    """Start of signing; the key is published from `created_at` on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClient:
    """A client that `passerelle clients` manages."""

    client_id: str
    document: str
    """The settings as JSON, secrets hashed."""
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutDelivery:
    """A logout token to deliver to a client (OIDC Back-Channel Logout)."""

    delivery_id: int
    client_id: str
    sid: str
    subject: str
    uri: str
    created_at: int
    attempts: int
    next_attempt_at: int | None
    """None if given up."""
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAccess:
    """An application with access to a user's data, for the account page."""

    client_id: str
    scope: str
    requests: tuple[str, ...]
    """The serialized authorization requests, which may name further claims."""
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Consumed:
    """The caller has consumed this login; no other caller can."""

    login: PendingLogin


@dataclass(frozen=True, slots=True)
class AlreadyConsumed:
    """The login, or the ticket, was consumed before."""

    login: PendingLogin


@dataclass(frozen=True, slots=True)
class ExpiredLogin:
    """The login expired before it was consumed."""

    login: PendingLogin


@dataclass(frozen=True, slots=True)
class UnknownLogin:
    """This browser has no such login."""


class Issue(Protocol):
    """Tokens built for one response, with the records to store."""

    @property
    def records(self) -> TokenRecords: ...  # noqa: D102


IssueT = TypeVar("IssueT", bound=Issue)


@dataclass(frozen=True, slots=True)
class Redeemed(Generic[IssueT]):
    """The code or refresh token is exchanged for these tokens."""

    issue: IssueT


@dataclass(frozen=True, slots=True)
class Reused:
    """The code or refresh token was used before; its grant is revoked now."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such code or refresh token is valid: it does not exist, or is expired or revoked."""


Redemption = Redeemed[IssueT] | Reused | Unknown
