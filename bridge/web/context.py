"""What the routes work with, reached by one typed function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from flask import current_app

from bridge.cas.endpoints import CasEndpoints
from bridge.cas.protocol import ValidatedTicket
from bridge.metrics import Metrics
from bridge.oauth.provider_context import ProviderContext
from bridge.settings import ClaimRules
from bridge.store import Store
from bridge.web.appearance import Appearance
from bridge.web.rate_limits import FailureLimits

EXTENSION = "passerelle"


class Cas(Protocol):
    """What a sign-in needs of CAS."""

    def validate(self, service: str, ticket: str, *, renew_since: float | None) -> ValidatedTicket:
        """Whom a ticket stands for; see `bridge.cas.client.CasClient`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The rooms, wired by `create_app`."""

    provider: ProviderContext
    addresses: CasEndpoints
    cas_logout: str
    """`chain`, `return` or `none`."""
    cas_service_state: str
    """`query` or `cookie`."""
    cas: Cas
    claim_rules: ClaimRules
    cas_logout_ends_offline_access: bool
    store: Store
    session_lifetime_seconds: int
    cookies_are_secure: bool
    appearance: Appearance
    metrics: Metrics
    metrics_token: str | None
    limits: FailureLimits

    @property
    def issuer(self) -> str:
        """The public base URL."""
        return self.provider.issuer

    def new_secret(self) -> str:
        """A fresh unguessable string."""
        return self.provider.new_secret()

    def now(self) -> int:
        """Unix seconds."""
        return self.provider.now()


def current_context() -> AppContext:
    """The bridge of the running application."""
    return cast(AppContext, current_app.extensions[EXTENSION])
