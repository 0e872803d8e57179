"""Results of operations that only one of several callers can win."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.records import PendingLogin


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
