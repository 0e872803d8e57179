"""The contract of `Deliveries`, and of `Sessions.end` as far as it queues them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store import Store
from tests.contract.records import NOW, allow, begin, session


@pytest.fixture
def queued(store: Store) -> Store:
    store.deliveries.queue([(name, "sid", "alice", f"https://{name}/") for name in ("hub", "portal")], now=NOW)
    return store


def test_delivery_is_due_at_once_and_leased(queued: Store) -> None:
    assert list(queued.deliveries.lease_due(now=NOW - 1, lease=30, limit=9)) == []
    leased = queued.deliveries.lease_due(now=NOW, lease=30, limit=9)
    assert [(each.client_id, each.sid, each.subject, each.uri, each.attempts) for each in leased] == [
        ("hub", "sid", "alice", "https://hub/", 1),
        ("portal", "sid", "alice", "https://portal/", 1),
    ]
    assert list(queued.deliveries.lease_due(now=NOW + 29, lease=30, limit=9)) == []
    again = queued.deliveries.lease_due(now=NOW + 30, lease=30, limit=9)
    assert [each.attempts for each in again] == [2, 2], "the lease expired"


def test_lease_respects_limit(queued: Store) -> None:
    names = [queued.deliveries.lease_due(now=NOW, lease=30, limit=1)[0].client_id for _ in range(2)]
    assert names == ["hub", "portal"]


def test_failed_delivery_is_retried(queued: Store) -> None:
    hub, portal = queued.deliveries.lease_due(now=NOW, lease=30, limit=9)
    queued.deliveries.delete(hub.delivery_id)
    queued.deliveries.mark_failed(portal.delivery_id, error="503", next_attempt_at=NOW + 60)
    assert list(queued.deliveries.list_waiting()) == [replace(portal, last_error="503", next_attempt_at=NOW + 60)]
    assert list(queued.deliveries.lease_due(now=NOW + 59, lease=30, limit=9)) == []
    assert len(queued.deliveries.lease_due(now=NOW + 60, lease=30, limit=9)) == 1


def test_delivery_given_up_is_listed_but_never_due(queued: Store) -> None:
    first, _ = queued.deliveries.lease_due(now=NOW, lease=30, limit=9)
    queued.deliveries.mark_failed(first.delivery_id, error="gone", next_attempt_at=None)
    assert [each.client_id for each in queued.deliveries.lease_due(now=NOW * 2, lease=30, limit=9)] == ["portal"]
    waiting = queued.deliveries.list_waiting()
    assert [(each.client_id, each.last_error) for each in waiting] == [("hub", "gone"), ("portal", "")]


def test_empty_queue_call_is_accepted(store: Store) -> None:
    store.deliveries.queue([], now=NOW)
    assert list(store.deliveries.list_waiting()) == []


def test_session_end_queues_one_delivery_per_client(store: Store) -> None:
    begin(store)
    for name, client_id in (("one", "hub"), ("two", "hub"), ("three", "wiki"), ("four", "silent")):
        allow(store, name, secret=name, client_id=client_id)
    addresses = {"hub": "https://hub.example.org/out", "wiki": "https://wiki.example.org/out"}

    assert store.sessions.end(session().sid, now=NOW + 5, logout_uri=addresses.get) is not None
    assert store.sessions.end(session().sid, now=NOW + 6, logout_uri=addresses.get) is None

    waiting = store.deliveries.list_waiting()
    assert {(d.client_id, d.uri, d.sid, d.subject) for d in waiting} == {
        (client_id, uri, session().sid, session().identity.subject) for client_id, uri in addresses.items()
    }
    assert len(waiting) == 2
    assert {(d.attempts, d.created_at, d.next_attempt_at) for d in waiting} == {(0, NOW + 5, NOW + 5)}


def test_failed_uri_lookup_keeps_session(store: Store) -> None:
    began = begin(store)
    allow(store)

    def fail(client_id: str) -> str | None:
        raise LookupError(client_id)

    with pytest.raises(LookupError):
        store.sessions.end(began.sid, now=NOW + 1, logout_uri=fail)

    assert store.sessions.find(began.cookie_hash, now=NOW + 1) is not None
    assert store.deliveries.list_waiting() == []


def test_lease_skips_excluded_clients(store: Store) -> None:
    store.deliveries.queue([(name, "sid", "alice", "https://a.example/") for name in ("hub", "hub", "wiki")], now=NOW)

    leased = store.deliveries.lease_due(now=NOW, lease=30, limit=9, excluded_clients=["hub", "another"])

    assert [d.client_id for d in leased] == ["wiki"]
    assert [d.client_id for d in store.deliveries.lease_due(now=NOW, lease=30, limit=9)] == ["hub", "hub"]
