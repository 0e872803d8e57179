"""Many threads at once: exactly one wins, and nobody is locked out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

import pytest

from bridge.store import (
    AlreadyConsumed,
    AuthorizationCode,
    Consumed,
    Grant,
    LogoutDelivery,
    Minted,
    RefreshToken,
    SqlStore,
    fingerprint,
)
from tests.contract.records import (
    GRACE,
    NOW,
    allow,
    begin,
    build_token_records,
    client,
    consume,
    key,
    login,
    redeem,
    refresh,
    refreshes,
    session,
    works,
)

Result = TypeVar("Result")
MANY = 32


def all_at_once(what: Callable[[int], Result]) -> list[Result]:
    start = Barrier(MANY)

    def run(number: int) -> Result:
        start.wait()
        return what(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(run, range(MANY)))


@pytest.mark.parametrize("time", range(3))
def test_of_many_redemptions_one_wins_and_the_losers_mint_nothing_row18(store: SqlStore, time: int) -> None:
    allow(store)
    given: list[str] = []

    def attempt(number: int) -> bool:
        def mint(_: AuthorizationCode, allowed: Grant) -> Minted:
            given.append(f"token {number}")
            return build_token_records(f"token {number}", allowed, now=NOW + 1)

        return store.grants.redeem_code(fingerprint("code"), now=NOW + 1, mint=mint)

    assert Counter(all_at_once(attempt)) == {True: 1, False: MANY - 1}
    assert len(given) == 1
    assert not works(store, given[0]), "the losers' replays revoked it (RFC 9700 §4.2.4)"
    assert not refreshes(store, f"refresh {given[0]}")


@pytest.mark.parametrize("time", range(3))
def test_of_many_refreshes_one_stores_and_all_get_the_same_row25(store: SqlStore, time: int) -> None:
    allow(store)
    redeem(store)
    assert all(all_at_once(lambda _: refresh(store, "refresh access")))
    assert works(store, "after refresh access")
    assert refreshes(store, "refresh after refresh access")
    assert not refreshes(store, "refresh access")
    assert store.purge(now=NOW * 2)["refresh_tokens"] == 2, "the first and its one successor"


def test_many_refreshes_for_several_scopes_store_one_access_token_each_row26(store: SqlStore) -> None:
    allow(store, scope="a b c openid")
    redeem(store)
    scopes = ["a", "b", "c", None]
    assert all(all_at_once(lambda number: refresh(store, "refresh access", scope=scopes[number % 4])))
    purged = store.purge(now=NOW * 2)
    assert (purged["refresh_tokens"], purged["access_tokens"]) == (2, 1 + len(scopes))


def test_many_refreshes_past_the_grace_revoke_and_give_nothing_row24(store: SqlStore) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access")
    assert not any(all_at_once(lambda _: refresh(store, "refresh access", now=NOW + 3 + GRACE)))
    assert not works(store, "after refresh access")


def test_refreshing_while_the_grant_is_revoked_leaves_nothing_alive(store: SqlStore) -> None:
    allow(store)
    redeem(store)

    def work(number: int) -> bool:
        if number % 4 == 0:
            return store.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) > 0
        return refresh(store, "refresh access")

    all_at_once(work)
    assert not works(store, "after refresh access")
    assert not refreshes(store, "refresh after refresh access")


@pytest.mark.parametrize("time", range(3))
def test_of_many_callbacks_one_claims_the_login(store: SqlStore, time: int) -> None:
    store.pending_logins.save(login())
    results = all_at_once(lambda number: consume(store, ticket_hash=fingerprint(f"ST-{number % 2}")))
    assert Counter(results) == {Consumed(login()): 1, AlreadyConsumed(login()): MANY - 1}


def test_one_ticket_claims_one_of_many_logins(store: SqlStore) -> None:
    for number in range(MANY):
        store.pending_logins.save(login(state_hash=fingerprint(f"state {number}")))
    results = all_at_once(lambda number: consume(store, f"state {number}"))
    assert Counter(type(result) for result in results) == {Consumed: 1, AlreadyConsumed: MANY - 1}


def test_a_session_that_many_end_at_once_ends_once(store: SqlStore) -> None:
    begin(store)
    allow(store)
    ended = all_at_once(lambda _: store.sessions.end(session().sid, now=NOW))
    assert [list(told) for told in ended if told is not None] == [[("hub", "alice")]]


def test_no_code_outlives_a_session_that_ends_while_codes_are_given_out(store: SqlStore) -> None:
    begin(store)

    def work(number: int) -> None:
        if number == MANY // 2:
            store.sessions.end(session().sid, now=NOW)
        else:
            allow(store, f"grant {number}", f"code {number}")

    all_at_once(work)
    assert not [number for number in range(MANY) if redeem(store, f"code {number}", gives=f"token {number}")]


def test_of_many_workers_one_adds_the_next_key_row65(store: SqlStore) -> None:
    assert Counter(all_at_once(lambda n: store.keys.add(key(f"first {n}"), after=None)))[True] == 1
    (first,) = store.keys.all()
    assert Counter(all_at_once(lambda n: store.keys.add(key(f"next {n}"), after=first.kid)))[True] == 1
    assert len(store.keys.all()) == 2


def test_each_delivery_is_taken_by_one_worker(store: SqlStore) -> None:
    store.deliveries.queue([(f"client {number}", "sid", "alice", "https://hub/") for number in range(100)], now=NOW)

    def work(_: int) -> list[LogoutDelivery]:
        return [*store.deliveries.take_due(now=NOW, lease=30, limit=3)]

    taken = all_at_once(work)
    assert max(len(batch) for batch in taken) == 3
    numbers = [each.delivery_id for batch in taken for each in batch]
    assert len(numbers) == len(set(numbers)) >= MANY
    assert {each.attempts for batch in taken for each in batch} == {1}


def test_consent_given_in_many_tabs_at_once_is_remembered_all(store: SqlStore) -> None:
    all_at_once(lambda number: store.grants.remember_consent("hub", "alice", f"openid scope{number}", now=NOW))
    agreed = store.grants.consented_scope("hub", "alice").split()
    assert sorted(agreed) == sorted(["openid", *(f"scope{number}" for number in range(MANY))])


def test_a_client_that_many_put_at_once_is_there_once_and_every_change_counts(store: SqlStore) -> None:
    before = store.clients.version()
    all_at_once(lambda number: store.clients.put(client(document=f"{number}"), now=NOW))
    assert len(store.clients.all()) == 1
    assert store.clients.version() == before + MANY


def test_taking_back_much_in_many_ways_at_once_blocks_nobody(store: SqlStore) -> None:
    """PostgreSQL would break a circle of waiting transactions by failing one of them."""
    for number in range(40):
        name = f"{number % 8}"
        if number < 8:
            begin(store, name)
        allow(store, f"grant {number}", f"code {number}", client_id=f"client {number % 5}", sid=f"sid of {name}")
        redeem(store, f"code {number}", gives=f"token {number}")

    def work(number: int) -> None:
        ways: list[Callable[[], object]] = [
            lambda: store.sessions.end(f"sid of {number % 8}", now=NOW + 2),
            lambda: store.grants.revoke_client(f"client {number % 5}", now=NOW + 2),
            lambda: store.grants.revoke_client_of_subject(f"client {number % 5}", "alice", now=NOW + 2),
            lambda: redeem(store, f"code {number}", gives="x"),
            lambda: refresh(store, f"refresh token {number}"),
            lambda: store.purge(now=NOW),
        ]
        for offset in range(len(ways)):
            ways[(number + offset) % len(ways)]()

    all_at_once(work)
    assert not [number for number in range(40) if works(store, f"token {number}")]


def test_purging_at_once_deletes_each_row_once(store: SqlStore) -> None:
    for number in range(MANY):
        store.pending_logins.save(login(state_hash=fingerprint(f"{number}")))
        allow(store, f"grant {number}", f"code {number}")
    purged = all_at_once(lambda _: store.purge(now=NOW * 2))
    assert sum(each["pending_logins"] for each in purged) == MANY
    store.purge(now=NOW * 2)
    assert not any(store.purge(now=NOW * 2).values())


def test_writing_and_purging_at_once_locks_nobody_out(store: SqlStore) -> None:
    lock, done = Lock(), []

    def work(number: int) -> None:
        begin(store, f"{number}")
        allow(store, f"grant {number}", f"code {number}", sid=f"sid of {number}")
        store.purge(now=NOW)
        assert redeem(store, f"code {number}", gives=f"token {number}")
        token = f"refresh token {number}"
        for _ in range(3):
            assert refresh(store, token)
            token = f"refresh after {token}"
        with lock:
            done.append(number)

    all_at_once(work)
    assert len(done) == MANY


def test_mint_is_given_the_refresh_token_that_was_presented_however_many_ask(store: SqlStore) -> None:
    allow(store)
    redeem(store)
    seen: list[RefreshToken] = []

    def mint(token: RefreshToken, allowed: Grant) -> Minted:
        seen.append(token)
        return build_token_records("same", allowed, now=NOW + 2)

    hashed = fingerprint("refresh access")
    assert all(all_at_once(lambda _: store.grants.rotate_refresh_token(hashed, now=NOW + 2, grace=GRACE, mint=mint)))
    assert {token.token_hash for token in seen} == {hashed}
