"""Steps of the tests of back-channel logout: end sessions, deliver, see what waits."""

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
from tests.http.people import CLIENTS
from tests.http.world import ISSUER, Running


def clients_told_at(**uris: str) -> str:
    """The registered applications as a setting; these are told of logouts, by client_id."""
    told = {client_id: {"backchannel_logout_uri": uri} for client_id, uri in uris.items()}
    return json.dumps([client | told.get(client["client_id"], {}) for client in CLIENTS])


def authority_of(running: Running) -> ProviderContext:
    authority = running.app.extensions[EXTENSION].provider
    assert isinstance(authority, ProviderContext)
    return authority


def deliver(running: Running) -> None:
    """What housekeeping does every second."""
    Deliverer(authority_of(running)).start_due()


def until(holds: Callable[[], object], within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def nothing_waits(running: Running) -> bool:
    return not running.store.deliveries.list_waiting()


def failed(running: Running, attempts: int) -> LogoutDelivery:
    """The one delivery that waits, once it has failed as often."""
    until(lambda: [d for d in running.store.deliveries.list_waiting() if d.attempts == attempts and d.last_error])
    (delivery,) = running.store.deliveries.list_waiting()
    return delivery


def verified(running: Running, token: str, algorithm: str) -> Any:
    """By the keys that everybody can fetch."""
    keys = KeySet.import_key_set(running.wire.send("GET", f"{ISSUER}/.well-known/jwks.json").json)
    return jwt.decode(token, keys, [algorithm])


def end_all(running: Running) -> None:
    for session in running.store.sessions.list_active(now=int(running.clock())):
        end_session(authority_of(running), session.sid)


def attempted(running: Running) -> LogoutDelivery:
    """The one delivery after one more attempt."""
    (before,) = running.store.deliveries.list_waiting()
    Deliverer(authority_of(running)).start_due()
    until(lambda: running.store.deliveries.list_waiting()[0].attempts > before.attempts)
    # The attempt leases it for some seconds; what comes after is another moment.
    leased = int(running.clock()) + LEASE_SECONDS
    until(lambda: running.store.deliveries.list_waiting()[0].next_attempt_at != leased)
    (after,) = running.store.deliveries.list_waiting()
    return after


def settle() -> None:
    """No delivery outlives the bridge that it is of."""
    for thread in threading.enumerate():
        if thread.name == "logout-token":
            thread.join(10)
