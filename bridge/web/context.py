"""What the routes work with, reached by one typed function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from flask import current_app

from bridge.cas.protocol import ValidatedTicket
from bridge.oauth import Provider
from bridge.store import Store

EXTENSION = "passerelle"


class Cas(Protocol):
    """What a sign-in needs of CAS."""

    def validate(self, service: str, ticket: str, *, renew: bool) -> ValidatedTicket:
        """Whom a ticket stands for; see `bridge.cas.client.CasClient`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The rooms, wired by `create_app`."""

    issuer: str
    cas_url: str
    cas: Cas
    attribute_rules: Mapping[str, tuple[str, ...]]
    provider: Provider
    store: Store
    clock: Callable[[], float]
    new_secret: Callable[[], str]
    session_lifetime: int
    cookies_are_secure: bool

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())


def current_bridge() -> Bridge:
    """The bridge of the running application."""
    return cast(Bridge, current_app.extensions[EXTENSION])
