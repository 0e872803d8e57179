"""The dependencies of the routes, built once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

from bridge.cas.client import CasClient
from bridge.cas.endpoints import CasEndpoints
from bridge.metrics import Metrics
from bridge.oauth.provider_context import ProviderContext
from bridge.settings import Settings
from bridge.web.appearance import Appearance

if TYPE_CHECKING:  # rate_limits imports this module
    from bridge.web.rate_limits import FailureLimits

EXTENSION = "passerelle"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The provider, CAS and what only the HTTP layer needs.

    The provider owns the issuer, the store, the clock and the random source.
    """

    provider: ProviderContext
    cas: CasClient
    endpoints: CasEndpoints
    settings: Settings
    appearance: Appearance
    metrics: Metrics
    limits: FailureLimits


def current_context() -> AppContext:
    """Return the context of the running application."""
    return cast(AppContext, current_app.extensions[EXTENSION])
