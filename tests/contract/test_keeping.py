"""`Keys`, `Clients` and `Deliveries`: what every store promises of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store import Consumed, SqlStore, Store, fingerprint
from tests.contract.records import NOW, allow, begin, client, consume, key, login, never, redeem, session, works


def test_keys_are_added_one_after_the_other(store: Store) -> None:
    assert list(store.keys.all()) == []
    assert store.keys.add(key("one"), after=None) is True
    assert store.keys.add(key("two"), after=None) is False
    assert store.keys.add(key("two"), after="one") is True
    assert store.keys.add(key("three"), after="one") is False
    assert store.keys.add(key("three"), after="unknown") is False
    assert list(store.keys.all()) == [key("two"), key("one")]


def test_each_algorithm_has_keys_of_its_own(store: Store) -> None:
    store.keys.add(key("one"), after=None)
    assert store.keys.add(key("curve", algorithm="ES256"), after="one") is False
    assert store.keys.add(key("curve", algorithm="ES256"), after=None) is True
    assert {each.kid for each in store.keys.all()} == {"one", "curve"}


def test_the_last_added_key_comes_first_whenever_it_becomes_active(store: Store) -> None:
    store.keys.add(key("one"), after=None)
    store.keys.add(key("later", active_from=NOW + 7200), after="one")
    store.keys.add(key("at once"), after="later")
    assert [each.kid for each in store.keys.all()] == ["at once", "later", "one"]


def test_a_key_can_be_removed_and_the_next_is_added_after_what_is_left(store: Store) -> None:
    for kid, after in {"one": None, "two": "one", "three": "two"}.items():
        store.keys.add(key(kid), after=after)
    store.keys.remove("two")
    store.keys.remove("unknown")
    assert [each.kid for each in store.keys.all()] == ["three", "one"]
    assert store.keys.add(key("four"), after="one") is False
    store.keys.remove("three")
    assert store.keys.add(key("four"), after="one") is True
    assert [each.kid for each in store.keys.all()] == ["four", "one"]


def test_the_version_of_the_clients_grows_with_every_change(store: Store) -> None:
    versions = [store.clients.version()]
    for change in (
        lambda: store.clients.put(client(), now=NOW),
        lambda: store.clients.put(client(disabled=True), now=NOW),
        lambda: store.clients.remove("hub"),
    ):
        change()
        versions.append(store.clients.version())
    assert versions == sorted(set(versions))
    assert store.clients.version() == versions[-1]


def test_clients_come_back_as_they_were_put_by_name(store: Store) -> None:
    for each in (client("portal"), client("hub"), client("hub", document="{}", disabled=True)):
        store.clients.put(each, now=NOW)
    assert list(store.clients.all()) == [client("hub", document="{}", disabled=True), client("portal")]


def test_a_client_is_removed_once(store: Store) -> None:
    store.clients.put(client(), now=NOW)
    assert [store.clients.remove("hub") for _ in range(2)] == [True, False]
    assert list(store.clients.all()) == []


@pytest.fixture
def queued(store: Store) -> Store:
    store.deliveries.queue([(name, "sid", "alice", f"https://{name}/") for name in ("hub", "portal")], now=NOW)
    return store


def test_a_delivery_is_due_at_once_and_then_leased(queued: Store) -> None:
    assert list(queued.deliveries.take_due(now=NOW - 1, lease=30, limit=9)) == []
    taken = queued.deliveries.take_due(now=NOW, lease=30, limit=9)
    assert [(each.client_id, each.sid, each.subject, each.uri, each.attempts) for each in taken] == [
        ("hub", "sid", "alice", "https://hub/", 1),
        ("portal", "sid", "alice", "https://portal/", 1),
    ]
    assert list(queued.deliveries.take_due(now=NOW + 29, lease=30, limit=9)) == []
    again = queued.deliveries.take_due(now=NOW + 30, lease=30, limit=9)
    assert [each.attempts for each in again] == [2, 2], "whoever took them has died"


def test_no_more_is_taken_than_was_asked_for(queued: Store) -> None:
    names = [queued.deliveries.take_due(now=NOW, lease=30, limit=1)[0].client_id for _ in range(2)]
    assert names == ["hub", "portal"]


def test_a_delivered_entry_is_forgotten_and_a_failed_one_stays_visible(queued: Store) -> None:
    hub, portal = queued.deliveries.take_due(now=NOW, lease=30, limit=9)
    queued.deliveries.delivered(hub.delivery_id)
    queued.deliveries.failed(portal.delivery_id, error="503", next_attempt_at=NOW + 60)
    assert list(queued.deliveries.waiting()) == [replace(portal, last_error="503", next_attempt_at=NOW + 60)]
    assert list(queued.deliveries.take_due(now=NOW + 59, lease=30, limit=9)) == []
    assert len(queued.deliveries.take_due(now=NOW + 60, lease=30, limit=9)) == 1


def test_a_delivery_that_was_given_up_stays_visible_and_is_never_due(queued: Store) -> None:
    first, _ = queued.deliveries.take_due(now=NOW, lease=30, limit=9)
    queued.deliveries.failed(first.delivery_id, error="gone", next_attempt_at=None)
    assert [each.client_id for each in queued.deliveries.take_due(now=NOW * 2, lease=30, limit=9)] == ["portal"]
    waiting = queued.deliveries.waiting()
    assert [(each.client_id, each.last_error) for each in waiting] == [("hub", "gone"), ("portal", "")]


def test_nothing_to_queue_is_no_fault(store: Store) -> None:
    store.deliveries.queue([], now=NOW)
    assert list(store.deliveries.waiting()) == []


def test_everything_survives_a_restart(database: str) -> None:
    before = SqlStore(database)
    begin(before)
    allow(before)
    redeem(before)
    before.pending_logins.save(login())
    before.keys.add(key(), after=None)
    before.clients.put(client(), now=NOW)
    before.grants.remember_consent("hub", "alice", "openid", now=NOW)
    before.deliveries.queue([("hub", "sid", "alice", "https://hub/")], now=NOW)
    before.close()
    after = SqlStore(database)
    assert consume(after) == Consumed(login())
    assert after.sessions.find(session().cookie_hash, now=NOW) == session()
    assert works(after, "access")
    assert list(after.keys.all()) == [key()]
    assert list(after.clients.all()) == [client()]
    assert after.grants.consented_scope("hub", "alice") == "openid"
    assert len(after.deliveries.waiting()) == 1
    assert after.grants.redeem_code(fingerprint("code"), now=NOW + 2, mint=never) is False
    after.close()


def test_a_store_that_answers_passes_its_check(store: Store) -> None:
    store.check()
