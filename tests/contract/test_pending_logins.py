"""The contract of `PendingLogins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.store import AlreadyConsumed, Consumed, ExpiredLogin, Store, UnknownLogin, fingerprint
from tests.contract.records import NOW, begin, consume, login

TICKET, BROWSER = fingerprint("ST-1"), fingerprint("browser")


def test_pending_login_round_trips(store: Store) -> None:
    store.pending_logins.save(login())
    assert consume(store) == Consumed(login())


def test_pending_login_is_consumed_once(store: Store) -> None:
    store.pending_logins.save(login())
    consume(store)
    assert consume(store) == AlreadyConsumed(login())
    assert consume(store, ticket_hash=fingerprint("ST-2")) == AlreadyConsumed(login())


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"browser_hashes": [fingerprint("another")]}, UnknownLogin()),
        ({"now": NOW + 600}, ExpiredLogin(login())),
        ({"now": NOW + 601}, ExpiredLogin(login())),
        ({"state": "unknown"}, UnknownLogin()),
    ],
    ids=["another browser", "expiring now", "expired", "unknown"],
)
def test_rejected_consumption_says_why_and_keeps_login(store: Store, changes: dict[str, Any], result: object) -> None:
    store.pending_logins.save(login())
    assert consume(store, **changes) == result
    assert consume(store, now=NOW + 599) == Consumed(login())


def test_consumed_login_stays_consumed_after_expiry(store: Store) -> None:
    store.pending_logins.save(login())
    consume(store)
    assert consume(store, now=NOW + 601) == AlreadyConsumed(login())


def test_ticket_consumes_one_login_only(store: Store) -> None:
    other = login(state_hash=fingerprint("other"))
    for each in (login(), other):
        store.pending_logins.save(each)
    assert consume(store) == Consumed(login())
    assert consume(store, "other") == AlreadyConsumed(other)
    assert consume(store, "other", ticket_hash=fingerprint("ST-2")) == Consumed(other)


def test_ticket_of_session_consumes_nothing_after_purge(store: Store) -> None:
    begin(store)
    store.pending_logins.save(login())
    assert consume(store, ticket_hash=fingerprint("ticket of session")) == AlreadyConsumed(login())
    assert consume(store) == Consumed(login())


def test_login_is_found_by_its_browser(store: Store) -> None:
    store.pending_logins.save(login())
    assert store.pending_logins.find(fingerprint("state"), browser_hashes=[BROWSER]) == login()
    consume(store)
    assert store.pending_logins.find(fingerprint("state"), browser_hashes=[BROWSER]) == login()
    assert store.pending_logins.find(fingerprint("state"), browser_hashes=[fingerprint("another")]) is None


def test_login_of_a_tab_gets_the_hash_of_its_browser(store: Store) -> None:
    """Single logout finds the sessions of a browser by it."""
    store.pending_logins.save(login(browser_hash=fingerprint("tab")))
    assert consume(store, browser_hashes=[BROWSER, fingerprint("tab")]) == Consumed(login())
    assert consume(store) == AlreadyConsumed(login())


def test_newest_login_of_browser_is_consumed_once(store: Store) -> None:
    newest = login(state_hash=fingerprint("newest"), expires_at=NOW + 601)
    for each in (login(), newest, login(state_hash=fingerprint("other"), browser_hash=fingerprint("another"))):
        store.pending_logins.save(each)
    assert store.pending_logins.consume_newest(browser_hashes=[BROWSER], ticket_hash=TICKET, now=NOW) == Consumed(
        newest
    )
    again = store.pending_logins.consume_newest(browser_hashes=[BROWSER], ticket_hash=TICKET, now=NOW)
    assert again == AlreadyConsumed(newest)


@pytest.mark.parametrize(("gateway", "now"), [(False, NOW), (True, NOW + 600)], ids=["no gateway login", "expired"])
def test_newest_gateway_login_is_unknown(store: Store, gateway: bool, now: int) -> None:
    store.pending_logins.save(login(gateway=gateway))
    result = store.pending_logins.consume_newest(
        browser_hashes=[BROWSER], ticket_hash=TICKET, now=now, gateway_only=True
    )
    assert result == UnknownLogin()


def save_many(store: Store, number: int, **changes: Any) -> int:
    """Save logins one second apart, and return how many were discarded."""
    return sum(
        store.pending_logins.save(login(state_hash=fingerprint(f"login {n}"), expires_at=NOW + n, **changes))
        for n in range(number)
    )


@pytest.mark.parametrize(("limit", "value"), [("MAX_LOGINS", 100), ("MAX_BYTES", 100 * 1000)])
def test_oldest_logins_are_discarded(store: Store, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(f"bridge.store.pending_logins.{limit}", value)
    discarded = save_many(store, 300, request="x" * 400)
    assert 0 < 300 - discarded < 100 + 64
    assert store.pending_logins.find(fingerprint("login 0"), browser_hashes=[BROWSER]) is None
    assert store.pending_logins.find(fingerprint("login 299"), browser_hashes=[BROWSER]) is not None


def test_few_logins_are_never_discarded(store: Store) -> None:
    assert save_many(store, 130) == 0


def test_large_write_ahead_log_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.store.database.MAX_WAL_BYTES", 100_000)
    store = Store(f"sqlite:///{tmp_path}/bridge.sqlite3")
    save_many(store, 50, request="x" * 8000)
    assert (tmp_path / "bridge.sqlite3-wal").stat().st_size > 100_000
    store.pending_logins.discard_excess()
    assert (tmp_path / "bridge.sqlite3-wal").stat().st_size == 0
    store.close()
