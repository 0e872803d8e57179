"""Passerelle's bridge: a CAS user comes in, an OAuth2 / OpenID Connect identity goes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask

from bridge.cas.client import CasClient
from bridge.cas.endpoints import CasEndpoints
from bridge.metrics import Metrics
from bridge.oauth.claims import ClaimsPolicy
from bridge.oauth.clients import ClientRegistry
from bridge.oauth.keys import KeyRing, derived_key
from bridge.oauth.provider_context import ProviderContext, new_secret
from bridge.settings import Settings
from bridge.store import SqlStore, Store
from bridge.web import AppContext, register
from bridge.web.appearance import appearance_of
from bridge.web.context import Cas
from bridge.web.operations import trust_proxies
from bridge.web.rate_limits import FailureLimits

MAXIMAL_BODY_BYTES = 64 * 1024


def create_app(
    settings: Settings,
    *,
    store: Store | None = None,
    cas: Cas | None = None,
    metrics: Metrics | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """The only place where rooms meet.

    :param store: instead of the one at `database_url`
    :param cas: instead of a client for the CAS of the settings
    :param metrics: instead of numbers that no other process adds to
    :param clock: Unix seconds
    :raises ConfigurationError: when the database or the keys in it cannot be used
    """
    store = store or SqlStore(settings.database_url.get_secret_value())
    cas = cas or CasClient.from_settings(settings, clock=clock)
    secret_key = settings.secret_key.get_secret_value()
    provider = ProviderContext(
        issuer=settings.issuer,
        clients=ClientRegistry(settings.clients, store, clock),
        store=store,
        keys=KeyRing(store, secret_key, clock),
        claims=ClaimsPolicy(
            email_verified=settings.email_verified, pairwise_key=derived_key(secret_key, "pairwise subjects")
        ),
        access_token_lifetime_seconds=settings.access_token_lifetime_seconds,
        refresh_token_lifetime_seconds=settings.refresh_token_lifetime_seconds,
        grant_lifetime_seconds=settings.grant_lifetime_seconds,
        clock=clock,
        new_secret=new_secret,
        derivation_key=derived_key(secret_key, "derived tokens"),
    )
    app = Flask(__name__, static_url_path=f"{urlsplit(settings.issuer).path}/static")
    app.config["MAX_CONTENT_LENGTH"] = MAXIMAL_BODY_BYTES
    context = AppContext(
        provider=provider,
        addresses=CasEndpoints.from_settings(settings),
        cas_logout=settings.cas_logout,
        cas_service_state=settings.cas_service_state,
        cas=cas,
        claim_rules=settings.claim_rules,
        cas_logout_ends_offline_access=settings.cas_logout_ends_offline_access,
        store=store,
        session_lifetime_seconds=settings.session_lifetime_seconds,
        cookies_are_secure=settings.is_https,
        appearance=appearance_of(
            accent_color=settings.accent_color,
            logo_file=settings.logo_file,
            support_contact=settings.support_contact,
        ),
        metrics=metrics or Metrics(),
        metrics_token=None if settings.metrics_token is None else settings.metrics_token.get_secret_value(),
        limits=FailureLimits(
            client_failures=settings.client_failures_per_minute,
            address_failures=settings.address_failures_per_minute,
            bad_tokens=settings.bad_tokens_per_minute,
            bad_callbacks=settings.bad_callbacks_per_minute,
        ),
    )
    register(app, context)
    trust_proxies(app, settings.proxy_hops)
    return app
