"""What is stored, and what can be asked of a store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

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
    attempt: int
    """1, or 2 after the one silent restart."""
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser signed in at the bridge."""

    session_hash: str
    identity: Identity
    ticket_hash: str
    """Of the CAS ticket that began it: CAS names a ticket, not a user, when it ends a session."""
    auth_time: int
    """When the user proved who they are, Unix seconds."""
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A code on its way through the browser to a client."""

    code_hash: str
    client_id: str
    session_hash: str
    request: str
    """The authorization request that it answers."""
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token that was given out."""

    token_hash: str
    client_id: str
    session_hash: str
    code_hash: str
    scope: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key, encrypted by the room that uses it."""

    kid: str
    algorithm: str
    encrypted_private_jwk: str
    created_at: int


class Store(Protocol):
    """The intentions. Every method is one transaction; hashes are `fingerprint`s, `now` is Unix seconds."""

    def save_pending_login(self, login: PendingLogin) -> None:
        """Remember an authorization that goes to CAS."""

    def claim_pending_login(
        self, state_hash: str, *, browser_hash: str, ticket_hash: str, now: int
    ) -> PendingLogin | None:
        """Take a pending login for this ticket, once: of many callers, one gets it.

        None when there is none, it began in another browser, is too old or taken, or the ticket was used before.
        """

    def find_pending_login(self, state_hash: str, *, browser_hash: str) -> PendingLogin | None:
        """The pending login that this browser began, taken or not."""

    def save_session(self, session: Session) -> None:
        """Sign a browser in."""

    def find_session(self, session_hash: str, *, now: int) -> Session | None:
        """A session that has neither ended nor expired."""

    def save_code(self, code: AuthorizationCode) -> None:
        """Remember a code that is handed to a browser."""

    def redeem_code(
        self, code_hash: str, *, now: int, mint: Callable[[AuthorizationCode, Session], AccessToken]
    ) -> AuthorizationCode | None:
        """Redeem a code, once: of many callers one gets it, and its token is stored in the same transaction.

        `mint` may raise to refuse; the code is spent all the same and nothing is minted. A second redemption
        gives None and revokes what the first one gave (RFC 9700 §4.2.4). None also for an unknown or expired
        code, and for one whose session has ended.
        """

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Session] | None:
        """A token that is neither expired nor revoked, and whose session has not been ended."""

    def add_first_signing_key(self, key: SigningKey) -> bool:
        """Keep this key unless there is one already; False then. Safe when several workers try at once."""

    def signing_keys(self) -> tuple[SigningKey, ...]:
        """All keys, the newest first."""

    def purge(self, *, now: int) -> Mapping[str, int]:
        """Delete what nobody can use any more; how many rows of each table."""

    def check(self) -> None:
        """Raise when the database does not answer."""

    def close(self) -> None:
        """Let go of the connections."""
