"""Results of operations that only one of several callers can win."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bridge.store.records import Grant, PendingLogin, TokenRecords


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
    """The code or refresh token was valid; the records of the new tokens are stored."""

    issue: IssueT


@dataclass(frozen=True, slots=True)
class Reused:
    """The code or refresh token was used before; its grant is revoked now."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Unknown:
    """No valid code or refresh token has this hash: it is unknown, expired or revoked."""
