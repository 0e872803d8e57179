"""Assembly of the application: the only module that connects the packages."""

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
from bridge.oauth.provider_context import ProviderContext
from bridge.settings import Settings
from bridge.store import Store
from bridge.web.appearance import load_appearance
from bridge.web.client_address import ClientAddress
from bridge.web.context import AppContext
from bridge.web.rate_limits import FailureLimits
from bridge.web.routes import register

MAX_BODY_BYTES = 64 * 1024


def create_app(
    settings: Settings,
    *,
    store: Store | None = None,
    cas: CasClient | None = None,
    metrics: Metrics | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """Build the application; the only place where the packages are connected.

    `store` and `cas` replace those of the settings. `metrics` are shared between processes; by default, this process
    has its own. `clock` returns Unix seconds. A ConfigurationError reports an unusable database, key or logo.
    """
    store = store or Store(settings.database_url.get_secret_value())
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
        derivation_key=derived_key(secret_key, "derived tokens"),
    )
    context = AppContext(
        provider=provider,
        cas=cas,
        endpoints=CasEndpoints.from_settings(settings),
        settings=settings,
        appearance=load_appearance(settings),
        metrics=metrics or Metrics(),
        limits=FailureLimits(settings, store, clock),
    )
    app = Flask(__name__, static_url_path=f"{urlsplit(settings.issuer).path}/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    register(app, context)
    app.wsgi_app = ClientAddress(app.wsgi_app, settings.proxy_hops)  # type: ignore[method-assign]  # Flask documents it
    return app
