"""`Sessions.end_by_ticket`, also while the session of the ticket begins."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from bridge.identity import Identity
from bridge.store import Consumed, Store, fingerprint
from tests.contract.records import ALICE, BOB, DAY, NOW, allow, begin, consume, login, redeem, refreshes, session, works

TICKET = fingerprint("ticket of session")


@pytest.mark.parametrize("include_offline", [True, False])
def test_end_by_ticket_revokes_grants_cas24(store: Store, include_offline: bool) -> None:
    begin(store)
    begin(store, "another")
    for name, kept in {"first": {}, "second": {"client_id": "portal"}, "offline": {"offline": True}}.items():
        allow(store, name, f"code {name}", **kept)
        redeem(store, f"code {name}", gives=name)
    allow(store, "of another", "code of another", sid="sid of another")
    redeem(store, "code of another", gives="of another")
    allow(store, "not redeemed", "code not redeemed")
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW + 2, include_offline=include_offline)) == [session().sid]
    for name in ("first", "second"):
        assert not works(store, name)
        assert not refreshes(store, f"refresh {name}")
    assert works(store, "offline") is not include_offline
    assert works(store, "of another")
    assert redeem(store, "code not redeemed", gives="late") is False
    assert store.sessions.find(session().cookie_hash, now=NOW) is None


def test_each_client_is_queued_once_cas24_cas25(store: Store) -> None:
    begin(store)
    for number, client_id in enumerate(["hub", "hub", "portal", "silent"]):
        allow(store, f"grant {number}", f"code {number}", client_id=client_id)
    addresses = {"hub": "https://hub.example/logout", "portal": "https://portal.example/logout"}
    for _ in range(3):  # repetitions change nothing
        store.sessions.end_by_ticket(TICKET, now=NOW, logout_uri=addresses.get)
    assert sorted((due.client_id, due.uri) for due in store.deliveries.list_waiting()) == sorted(addresses.items())


def test_ticket_ends_its_session_once(store: Store) -> None:
    begin(store)
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == [session().sid]
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == []
    assert list(store.sessions.end_by_ticket(fingerprint("unknown"), now=NOW)) == []


def test_session_ended_by_cas_does_not_count_as_ended(store: Store) -> None:
    begin(store)
    begin(store, "another")
    store.sessions.end_by_ticket(TICKET, now=NOW)
    store.sessions.end("sid of another", now=NOW)
    assert store.sessions.has_ended(session().cookie_hash) is False
    assert store.sessions.has_ended(session("another").cookie_hash) is True


def test_last_end_by_cas_is_stored(store: Store) -> None:
    assert store.sessions.last_ended_by_cas() is None
    begin(store)
    begin(store, "another")
    begin(store, "by hand")
    store.sessions.end("sid of by hand", now=NOW + 9)
    assert store.sessions.last_ended_by_cas() is None
    store.sessions.end_by_ticket(TICKET, now=NOW + 3)
    store.sessions.end_by_ticket(fingerprint("ticket of another"), now=NOW + 5)
    assert store.sessions.last_ended_by_cas() == NOW + 5


def test_session_does_not_begin_after_cas_ended_ticket(store: Store) -> None:
    store.pending_logins.save(login())
    assert consume(store, ticket_hash=TICKET) == Consumed(login())
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == []
    assert store.sessions.begin(session(), ticket_hash=TICKET) is False
    assert store.sessions.find(session().cookie_hash, now=NOW) is None
    assert store.sessions.begin(session(), ticket_hash=fingerprint("the next ticket")) is True


def test_ticket_ended_before_renewal_ends_browser_sessions(store: Store) -> None:
    """CAS may not know the older tickets any more."""
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
def test_sessions_of_same_user_and_browser_end_cas25(store: Store, identity: Identity, is_ended: bool) -> None:
    """Two tabs that sign in at once begin two sessions, and CAS may know only one of their tickets."""
    begin(store, browser_hash="one browser")
    begin(store, "other tab", browser_hash="one browser", identity=identity)
    begin(store, "elsewhere", browser_hash="another browser")
    ended = store.sessions.end_by_ticket(TICKET, now=NOW)
    assert ("sid of other tab" in ended) is is_ended
    assert store.sessions.find_by_sid("sid of elsewhere", now=NOW) is not None


def test_sessions_without_browser_end_one_by_one(store: Store) -> None:
    begin(store, browser_hash=None)
    begin(store, "another", browser_hash=None)
    assert list(store.sessions.end_by_ticket(TICKET, now=NOW)) == [session().sid]


@pytest.mark.parametrize("include_offline", [True, False])
def test_end_by_cas_revokes_offline_grants_of_ended_session(store: Store, include_offline: bool) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    notified: list[str] = []
    store.sessions.end(session().sid, now=NOW + 2, logout_uri=notified.append)
    assert refreshes(store, "refresh access")
    ended = store.sessions.end_by_ticket(
        TICKET, now=NOW + 3, logout_uri=notified.append, include_offline=include_offline
    )
    assert list(ended) == []
    assert refreshes(store, "refresh access") is not include_offline
    assert notified == ["hub"]
    assert store.sessions.last_ended_by_cas() == NOW + 2


@pytest.mark.parametrize("attempt", range(10))
def test_concurrent_begin_and_end_leave_no_session(store: Store, attempt: int) -> None:
    """Either order is correct: the session is ended, or it does not begin."""
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


def test_ended_login_is_purged(store: Store) -> None:
    store.pending_logins.save(login())
    consume(store, ticket_hash=TICKET)
    store.sessions.end_by_ticket(TICKET, now=NOW)
    assert store.purge(now=NOW + DAY)["pending_logins"] == 1
