"""Helpers for tests of back-channel logout."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.oauth.backchannel import LEASE_SECONDS, Deliverer
from bridge.oauth.logout import end_session
from bridge.oauth.provider_context import ProviderContext
from bridge.store import LogoutDelivery
from bridge.web.context import EXTENSION
from tests.http.signed_in_user import CLIENTS
from tests.http.world import ISSUER, Running


def clients_with_logout_uris(**uris: str) -> str:
    """Return the client settings with these back-channel logout URIs, by client_id."""
    changes = {client_id: {"backchannel_logout_uri": uri} for client_id, uri in uris.items()}
    return json.dumps([client | changes.get(client["client_id"], {}) for client in CLIENTS])


def provider_of(running: Running) -> ProviderContext:
    provider = running.app.extensions[EXTENSION].provider
    assert isinstance(provider, ProviderContext)
    return provider


def deliver(running: Running) -> None:
    """Deliver as the background job does every second."""
    Deliverer(provider_of(running)).start_due()


def until(holds: Callable[[], object], within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def nothing_waits(running: Running) -> bool:
    return not running.store.deliveries.list_waiting()


def failed(running: Running, attempts: int) -> LogoutDelivery:
    """Wait until the only delivery has failed this often, and return it."""
    until(lambda: [d for d in running.store.deliveries.list_waiting() if d.attempts == attempts and d.last_error])
    (delivery,) = running.store.deliveries.list_waiting()
    return delivery


def verified(running: Running, token: str, algorithm: str) -> Any:
    """Decode a token with the published keys."""
    keys = KeySet.import_key_set(running.wire.send("GET", f"{ISSUER}/.well-known/jwks.json").json)
    return jwt.decode(token, keys, [algorithm])


def end_all(running: Running) -> None:
    for session in running.store.sessions.list_active(now=int(running.clock())):
        end_session(provider_of(running), session.sid)


def attempted(running: Running) -> LogoutDelivery:
    """Make one more attempt and return the only delivery."""
    (before,) = running.store.deliveries.list_waiting()
    Deliverer(provider_of(running)).start_due()
    until(lambda: running.store.deliveries.list_waiting()[0].attempts > before.attempts)
    # The lease sets one time, the failed attempt another.
    leased = int(running.clock()) + LEASE_SECONDS
    until(lambda: running.store.deliveries.list_waiting()[0].next_attempt_at != leased)
    (after,) = running.store.deliveries.list_waiting()
    return after


def settle() -> None:
    """Wait for delivery threads before the bridge is closed."""
    for thread in threading.enumerate():
        if thread.name == "logout-token":
            thread.join(10)
