"""What happens when CAS ends a session by its ticket: `Sessions.end_by_ticket` and what begins at the same moment."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from bridge.identity import Identity
from bridge.store import Consumed, SqlStore, Store, fingerprint
from tests.contract.records import ALICE, BOB, DAY, NOW, allow, begin, consume, login, redeem, refreshes, session, works

TICKET = fingerprint("ticket of session")


@pytest.mark.parametrize("offline_too", [True, False])
def test_everything_under_the_session_is_taken_back_cas24(store: Store, offline_too: bool) -> None:
    begin(store)
    begin(store, "another")
    for name, kept in {"first": {}, "second": {"client_id": "portal"}, "offline": {"offline": True}}.items():
        allow(store, name, f"code {name}", **kept)
        redeem(store, f"code {name}", gives=name)
    allow(store, "of another", "code of another", sid="sid of another")
    redeem(store, "code of another", gives="of another")
    allow(store, "not redeemed", "code not redeemed")
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW + 2, offline_too=offline_too)) == [session().sid]
    for name in ("first", "second"):
        assert not works(store, name)
        assert not refreshes(store, f"refresh {name}")
    assert works(store, "offline") is not offline_too
    assert works(store, "of another")
    assert redeem(store, "code not redeemed", gives="late") is False
    assert store.sessions.find(session().cookie_hash, now=NOW) is None


def test_each_client_that_wants_to_know_is_queued_once_cas24_cas25(store: Store) -> None:
    begin(store)
    for number, client_id in enumerate(["hub", "hub", "portal", "deaf"]):
        allow(store, f"grant {number}", f"code {number}", client_id=client_id)
    addresses = {"hub": "https://hub.example/logout", "portal": "https://portal.example/logout"}
    for _ in range(3):  # a replay changes nothing
        store.sessions.end_by_ticket(TICKET, now=NOW, tell=addresses.get)
    assert sorted((due.client_id, due.uri) for due in store.deliveries.waiting()) == sorted(addresses.items())


def test_a_ticket_ends_its_session_once(store: Store) -> None:
    begin(store)
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == [session().sid]
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == []
    assert list(store.sessions.end_by_ticket(fingerprint("unknown"), now=NOW)) == []


def test_whoever_was_signed_out_by_cas_need_not_prove_anything_twice(store: Store) -> None:
    """CAS has forgotten them as well, so its next word is a fresh one."""
    begin(store)
    begin(store, "another")
    store.sessions.end_by_ticket(TICKET, now=NOW)
    store.sessions.end("sid of another", now=NOW)
    assert store.sessions.has_ended(session().cookie_hash) is False
    assert store.sessions.has_ended(session("another").cookie_hash) is True


def test_the_last_time_that_cas_ended_a_session_is_remembered(store: Store) -> None:
    assert store.sessions.last_ended_by_cas() is None
    begin(store)
    begin(store, "another")
    begin(store, "by hand")
    store.sessions.end("sid of by hand", now=NOW + 9)
    assert store.sessions.last_ended_by_cas() is None
    store.sessions.end_by_ticket(TICKET, now=NOW + 3)
    store.sessions.end_by_ticket(fingerprint("ticket of another"), now=NOW + 5)
    assert store.sessions.last_ended_by_cas() == NOW + 5


def test_a_session_does_not_begin_when_cas_ended_it_while_the_ticket_was_validated(store: Store) -> None:
    store.pending_logins.save(login())
    assert consume(store, ticket_hash=TICKET) == Consumed(login())
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == []
    assert store.sessions.begin(session(), ticket_hash=TICKET) is False
    assert store.sessions.find(session().cookie_hash, now=NOW) is None
    assert store.sessions.begin(session(), ticket_hash=fingerprint("the next ticket")) is True


def test_nor_is_one_renewed_then_and_what_the_browser_had_before_is_over_as_well(store: Store) -> None:
    """CAS may have forgotten the older tickets, so that it will never name one of them."""
    begin(store, browser_hash=login().browser_hash)
    begin(store, "another")
    renewal = fingerprint("ticket of renewal")
    store.pending_logins.save(login())
    assert consume(store, ticket_hash=renewal) == Consumed(login())
    assert list(store.sessions.end_by_ticket(renewal, now=NOW)) == [session().sid]
    assert store.sessions.renew(session(cookie_hash=fingerprint("new")), ticket_hash=renewal) is False
    assert store.sessions.begin(session("new"), ticket_hash=renewal) is False
    assert store.sessions.find(session("another").cookie_hash, now=NOW) is not None


@pytest.mark.parametrize(("identity", "is_ended"), [(ALICE, True), (BOB, False)], ids=["the same", "another"])
def test_other_sessions_of_the_same_user_in_the_same_browser_end_too_cas25(
    store: Store, identity: Identity, is_ended: bool
) -> None:
    """Two tabs that signed in at once have two, and CAS may remember one ticket of them alone."""
    begin(store, browser_hash="one browser")
    begin(store, "of the other tab", browser_hash="one browser", identity=identity)
    begin(store, "elsewhere", browser_hash="another browser")
    ended = store.sessions.end_by_ticket(TICKET, now=NOW)
    assert ("sid of of the other tab" in ended) is is_ended
    assert store.sessions.find_by_sid("sid of elsewhere", now=NOW) is not None


def test_sessions_of_before_browsers_were_remembered_end_one_by_one(store: Store) -> None:
    begin(store, browser_hash=None)
    begin(store, "another", browser_hash=None)
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == [session().sid]


@pytest.mark.parametrize("offline_too", [True, False])
def test_what_outlived_the_end_of_its_session_need_not_outlive_that_at_cas(store: Store, offline_too: bool) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    told: list[str] = []
    store.sessions.end(session().sid, now=NOW + 2, tell=told.append)
    assert refreshes(store, "refresh access")
    ended = store.sessions.end_by_ticket(TICKET, now=NOW + 3, tell=told.append, offline_too=offline_too)
    assert list(ended) == [], "it was over before"
    assert refreshes(store, "refresh access") is not offline_too
    assert told == ["hub"], "nobody is told twice"
    assert store.sessions.last_ended_by_cas() == NOW + 2, "CAS does report logouts"


@pytest.mark.parametrize("time", range(10))
def test_beginning_and_ending_at_once_leaves_no_session(store: SqlStore, time: int) -> None:
    """Whoever is first: a session that begins is found and ended, or does not begin."""
    store.pending_logins.save(login())
    consume(store, ticket_hash=TICKET)
    start = Barrier(2)
    outcome: dict[str, object] = {}

    def begins() -> None:
        start.wait()
        outcome["began"] = store.sessions.begin(session(), ticket_hash=TICKET)

    def ends() -> None:
        start.wait()
        outcome["ended"] = list(store.sessions.end_by_ticket(TICKET, now=NOW))

    threads = [Thread(target=begins), Thread(target=ends)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome in ({"began": True, "ended": [session().sid]}, {"began": False, "ended": []})
    assert store.sessions.find(session().cookie_hash, now=NOW) is None


def test_the_mark_of_an_ended_login_goes_with_it(store: Store) -> None:
    store.pending_logins.save(login())
    consume(store, ticket_hash=TICKET)
    store.sessions.end_by_ticket(TICKET, now=NOW)
    assert store.purge(now=NOW + DAY)["pending_logins"] == 1
