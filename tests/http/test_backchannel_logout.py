"""Back-Channel Logout 1.0: each client gets one valid logout token."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bridge.oauth import backchannel
from bridge.oauth.backchannel import LEASE_SECONDS, LOGOUT_EVENT, Deliverer
from tests.http.deliveries import (
    clients_with_logout_uris,
    deliver,
    end_all,
    nothing_waits,
    provider_of,
    settle,
    until,
    verified,
)
from tests.http.signed_in_user import Person, claims_in
from tests.http.world import ISSUER, Running
from tests.support.cas.logout_receiver import LogoutReceiver

MakeBridge = Callable[..., Running]
Make = Callable[..., Running]


@pytest.fixture
def hub() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def wiki() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def make(make_bridge: MakeBridge) -> Iterator[Make]:
    """A bridge with these back-channel logout URIs, by client_id."""
    yield lambda **uris: make_bridge(clients=clients_with_logout_uris(**uris))
    settle()


@pytest.mark.parametrize(
    ("client_id", "algorithm"), [("hub", "RS256"), ("wiki", "ES256")], ids=["public-RS256", "pairwise-ES256"]
)
def test_logout_token_can_be_verified(make: Make, hub: LogoutReceiver, client_id: str, algorithm: str) -> None:
    running = make(**{client_id: hub.url})
    alice = Person(running)
    known = claims_in(alice.sign_in(client_id, scope="openid")["id_token"])

    end_all(running)
    deliver(running)

    (told,) = hub.wait_for(1)
    assert (told.path, told.content_type) == ("/logout?of=app", "application/x-www-form-urlencoded")
    assert list(told.form) == ["logout_token"]
    token = verified(running, told.token, algorithm)
    assert token.header["typ"] == "logout+jwt"
    assert token.header["alg"] == algorithm
    claims = dict(token.claims)
    assert len(claims.pop("jti")) > 20
    now = int(running.clock())
    assert claims == {
        "iss": ISSUER,
        "aud": client_id,
        "sub": known["sub"],
        "sid": known["sid"],
        "iat": now,
        "exp": now + 120,
        "events": {LOGOUT_EVENT: {}},
    }
    until(lambda: nothing_waits(running))


def test_each_client_of_session_gets_one_logout_token(make: Make, hub: LogoutReceiver, wiki: LogoutReceiver) -> None:
    running = make(hub=hub.url, wiki=wiki.url)
    alice, bob = Person(running), Person(running)
    alice.sign_in()
    hint = alice.sign_in(scope="openid offline_access")["id_token"]
    bob.sign_in("wiki", scope="openid")

    alice.sign_out(id_token_hint=hint)
    alice.sign_out(id_token_hint=hint)
    deliver(running)

    until(lambda: nothing_waits(running))
    assert len(hub.told) == 1
    assert wiki.told == []


@pytest.mark.parametrize("status", [200, 204])
def test_accepted_logout_token_is_not_repeated(make: Make, hub: LogoutReceiver, status: int) -> None:
    hub.status = status
    running = make(hub=hub.url)
    Person(running).sign_in()
    end_all(running)

    deliver(running)
    until(lambda: nothing_waits(running))
    running.clock.advance(3600)
    deliver(running)

    assert len(hub.told) == 1


def test_slow_client_delays_no_other(make: Make, hub: LogoutReceiver, wiki: LogoutReceiver) -> None:
    hub.seconds = 3
    running = make(hub=hub.url, wiki=wiki.url)
    now = int(running.clock())
    running.store.deliveries.queue([("hub", f"sid-{i}", "alice", hub.url) for i in range(40)], now=now)
    running.store.deliveries.queue([("wiki", f"sid-{i}", "alice", wiki.url) for i in range(40)], now=now)

    Deliverer(provider_of(running)).start_due()

    told = wiki.wait_for(40)
    assert len({verified(running, each.token, "ES256").claims["sid"] for each in told}) == 40
    assert len(hub.told) <= 2 * backchannel.MAX_THREADS_PER_CLIENT


def test_each_logout_token_is_delivered_by_one_worker(make: Make, hub: LogoutReceiver) -> None:
    bridges = [make(hub=hub.url) for _ in range(3)]
    now = int(bridges[0].clock())
    bridges[0].store.deliveries.queue([("hub", f"sid-{i}", "alice", hub.url) for i in range(60)], now=now)

    deliverers = [Deliverer(provider_of(bridge)) for bridge in bridges]
    for _ in range(3):
        for deliverer in deliverers:
            deliverer.start_due()

    until(lambda: nothing_waits(bridges[0]), within=15)
    sids = [claims_in(told.token)["sid"] for told in hub.told]
    assert sorted(sids) == sorted(f"sid-{i}" for i in range(60))


def test_lease_of_killed_worker_expires(make: Make, hub: LogoutReceiver) -> None:
    running = make(hub=hub.url)
    Person(running).sign_in()
    end_all(running)
    leased = running.store.deliveries.lease_due(now=int(running.clock()), lease=LEASE_SECONDS, limit=5)

    deliver(running)
    assert (len(leased), hub.told) == (1, [])
    running.clock.advance(LEASE_SECONDS)
    deliver(running)

    hub.wait_for(1)
    until(lambda: nothing_waits(running))
