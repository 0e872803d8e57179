"""The contract of `Sessions`."""

from __future__ import annotations

import pytest

from bridge.store import Store, fingerprint
from tests.contract.records import (
    ALICE,
    BOB,
    DAY,
    HOUR,
    NOW,
    allow,
    begin,
    redeem,
    session,
    works,
)

TICKET, OTHER_TICKET = fingerprint("ticket of session"), fingerprint("ticket of renewal")


def test_session_round_trips_with_special_characters(store: Store) -> None:
    begin(store)
    assert store.sessions.find(session().cookie_hash, now=NOW) == session()
    assert store.sessions.find_by_sid(session().sid, now=NOW) == session()


@pytest.mark.parametrize(("now", "found"), [(NOW + 8 * HOUR - 1, True), (NOW + 8 * HOUR, False)])
def test_session_is_found_until_it_expires(store: Store, now: int, found: bool) -> None:
    begin(store)
    assert (store.sessions.find(session().cookie_hash, now=now) is not None) is found
    assert (store.sessions.find_by_sid(session().sid, now=now) is not None) is found
    assert bool(store.sessions.list_by_subject("alice", now=now)) is found
    assert store.sessions.find(fingerprint("another"), now=NOW) is None
    assert store.sessions.find_by_sid("another", now=NOW) is None


def test_renewed_session_has_new_cookie_and_same_sid(store: Store) -> None:
    begin(store)
    again = session(cookie_hash=fingerprint("new"), auth_time=NOW + 9, created_at=NOW + 9, expires_at=NOW + DAY)
    assert store.sessions.renew(again, ticket_hash=OTHER_TICKET) is True
    found = store.sessions.find(fingerprint("new"), now=NOW + 8 * HOUR)
    assert found is not None
    assert (found.sid, found.auth_time, found.created_at) == (session().sid, NOW + 9, NOW), "the start time stays"
    assert store.sessions.find(session().cookie_hash, now=NOW) is None


@pytest.mark.parametrize("ticket", [TICKET, OTHER_TICKET], ids=["the first", "the second"])
def test_every_ticket_ends_renewed_session_cas25(store: Store, ticket: str) -> None:
    begin(store)
    store.sessions.renew(session(cookie_hash=fingerprint("new")), ticket_hash=OTHER_TICKET)
    assert list(store.sessions.end_by_ticket(fingerprint("another"), now=NOW)) == []
    assert list(store.sessions.end_by_ticket(ticket, now=NOW)) == [session().sid]
    assert store.sessions.find_by_sid(session().sid, now=NOW) is None


def test_tokens_survive_renewal_of_session(store: Store) -> None:
    begin(store)
    allow(store)
    redeem(store)
    store.sessions.renew(session(cookie_hash=fingerprint("new")), ticket_hash=OTHER_TICKET)
    assert works(store, "access")


@pytest.mark.parametrize("began", [True, False])
def test_ended_or_unknown_session_is_not_renewed(store: Store, began: bool) -> None:
    if began:
        begin(store)
        store.sessions.end(session().sid, now=NOW)
    assert store.sessions.renew(session(cookie_hash=fingerprint("new")), ticket_hash=OTHER_TICKET) is False
    assert store.sessions.find(fingerprint("new"), now=NOW) is None
    assert list(store.sessions.end_by_ticket(OTHER_TICKET, now=NOW)) == []


def test_sessions_of_user_are_listed_newest_first(store: Store) -> None:
    for name, at in {"first": NOW - 2, "third": NOW, "second": NOW - 1}.items():
        begin(store, name, created_at=at)
    begin(store, "of another", identity=BOB)
    begin(store, "ended")
    store.sessions.end("sid of ended", now=NOW)
    found = store.sessions.list_by_subject("alice", now=NOW)
    assert [each.sid for each in found] == ["sid of third", "sid of second", "sid of first"]


def test_ended_session_is_not_found(store: Store) -> None:
    begin(store)
    assert list(store.sessions.end(session().sid, now=NOW) or ()) == []
    assert store.sessions.find(session().cookie_hash, now=NOW) is None
    assert store.sessions.find_by_sid(session().sid, now=NOW) is None
    assert list(store.sessions.list_by_subject("alice", now=NOW)) == []
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == []


def test_session_end_returns_each_client_once(store: Store) -> None:
    begin(store)
    allow(store, "one", "code 1")
    allow(store, "two", "code 2")
    allow(store, "three", "code 3", client_id="portal", offline=True)
    allow(store, "four", "code 4", client_id="elsewhere", sid="another session")
    clients = store.sessions.end(session().sid, now=NOW)
    assert sorted(clients or ()) == [("hub", ALICE.subject), ("portal", ALICE.subject)]


def test_session_ends_once(store: Store) -> None:
    begin(store)
    allow(store)
    assert store.sessions.end(session().sid, now=NOW) is not None
    assert store.sessions.end(session().sid, now=NOW) is None
    assert store.sessions.end("another", now=NOW) is None


def test_ticket_ends_expired_session(store: Store) -> None:
    begin(store, expires_at=NOW + 10)
    allow(store)
    redeem(store)
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW + 20)) == [session().sid]
    assert not works(store, "access", now=NOW + 21)


def test_session_end_keeps_offline_grants(store: Store) -> None:
    begin(store)
    begin(store, "another")
    allow(store)
    allow(store, "offline", "code 2", offline=True)
    allow(store, "another", "code 3", sid="sid of another")
    for secret, gives in {"code": "online", "code 2": "offline", "code 3": "another"}.items():
        redeem(store, secret, gives=gives)
    store.sessions.end(session().sid, now=NOW + 2)
    assert not works(store, "online")
    assert works(store, "offline")
    assert works(store, "another")


def test_newest_sessions_include_ended_ones(store: Store) -> None:
    for name, at in {"first": NOW - 3, "third": NOW - 1, "second": NOW - 2}.items():
        begin(store, name, created_at=at)
    store.sessions.end("sid of third", now=NOW)
    assert [each.sid for each in store.sessions.list_newest(limit=2)] == ["sid of third", "sid of second"]


def test_active_sessions_are_listed_newest_first(store: Store) -> None:
    for name, age in (("old", 20), ("new", 10), ("ended", 5)):
        begin(store, name, created_at=NOW - age)
    begin(store, "over", expires_at=NOW)
    store.sessions.end(session("ended").sid, now=NOW)

    assert [each.sid for each in store.sessions.list_active(now=NOW)] == [session("new").sid, session("old").sid]


def test_clients_of_a_session_have_valid_grants(store: Store) -> None:
    begin(store)
    allow(store, "one", "code 1", client_id="wiki")
    allow(store, "two", "code 2", client_id="wiki")
    allow(store, "three", "code 3", client_id="hub")
    allow(store, "four", "code 4", client_id="elsewhere", sid="another")
    assert store.sessions.list_clients(session().sid) == ["hub", "wiki"]
    store.sessions.end(session().sid, now=NOW)
    assert store.sessions.list_clients(session().sid) == []
