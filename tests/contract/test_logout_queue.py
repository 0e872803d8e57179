"""Whom to tell of the end of a session is kept together with the end itself, and busy clients are passed over."""

from __future__ import annotations

import pytest

from bridge.store import Store
from tests.contract.records import NOW, allow, begin, session


def test_the_end_of_a_session_queues_a_delivery_for_each_client_that_wants_one(store: Store) -> None:
    begin(store)
    for name, client_id in (("one", "hub"), ("two", "hub"), ("three", "wiki"), ("four", "silent")):
        allow(store, name, secret=name, client_id=client_id)
    addresses = {"hub": "https://hub.example.org/out", "wiki": "https://wiki.example.org/out"}

    assert store.sessions.end(session().sid, now=NOW + 5, tell=addresses.get) is not None
    assert store.sessions.end(session().sid, now=NOW + 6, tell=addresses.get) is None

    waiting = store.deliveries.waiting()
    assert {(d.client_id, d.uri, d.sid, d.subject) for d in waiting} == {
        (client_id, uri, session().sid, session().identity.subject) for client_id, uri in addresses.items()
    }
    assert len(waiting) == 2
    assert {(d.attempts, d.created_at, d.next_attempt_at) for d in waiting} == {(0, NOW + 5, NOW + 5)}


def test_a_fault_while_the_addresses_are_looked_up_leaves_the_session_as_it_was(store: Store) -> None:
    began = begin(store)
    allow(store)

    def tell(client_id: str) -> str | None:
        raise LookupError(client_id)

    with pytest.raises(LookupError):
        store.sessions.end(began.sid, now=NOW + 1, tell=tell)

    assert store.sessions.find(began.cookie_hash, now=NOW + 1) is not None
    assert store.deliveries.waiting() == []


def test_deliveries_for_clients_that_are_busy_are_left_to_others(store: Store) -> None:
    store.deliveries.queue([(name, "sid", "alice", "https://a.example/") for name in ("hub", "hub", "wiki")], now=NOW)

    taken = store.deliveries.take_due(now=NOW, lease=30, limit=9, not_for=["hub", "another"])

    assert [d.client_id for d in taken] == ["wiki"]
    assert [d.client_id for d in store.deliveries.take_due(now=NOW, lease=30, limit=9)] == ["hub", "hub"]


def test_all_live_sessions_are_found_the_newest_first(store: Store) -> None:
    for name, age in (("old", 20), ("new", 10), ("ended", 5)):
        begin(store, name, created_at=NOW - age)
    begin(store, "over", expires_at=NOW)
    store.sessions.end(session("ended").sid, now=NOW)

    assert [each.sid for each in store.sessions.all(now=NOW)] == [session("new").sid, session("old").sid]
