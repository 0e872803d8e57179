"""Concurrent threads: exactly one wins, and no statement fails or deadlocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

import pytest

from bridge.store import (
    AlreadyConsumed,
    Consumed,
    Grant,
    LogoutDelivery,
    Redeemed,
    Reused,
    Store,
    Unknown,
    fingerprint,
)
from tests.contract.records import (
    GRACE,
    NOW,
    SampleIssue,
    allow,
    begin,
    client,
    consume,
    grant,
    issue,
    key,
    login,
    redeem,
    refresh,
    refreshes,
    rotate,
    session,
    works,
)

Result = TypeVar("Result")
MANY = 32


def run_concurrently(action: Callable[[int], Result]) -> list[Result]:
    start = Barrier(MANY)

    def run(number: int) -> Result:
        start.wait()
        return action(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(run, range(MANY)))


@pytest.mark.parametrize("attempt", range(3))
def test_one_concurrent_redemption_builds_tokens_row18(store: Store, attempt: int) -> None:
    allow(store)
    given: list[str] = []

    def work(number: int) -> type:
        def build(allowed: Grant) -> SampleIssue:
            given.append(f"token {number}")
            return issue(f"token {number}", allowed, now=NOW + 1)

        return type(store.grants.redeem_code(fingerprint("code"), client_id="hub", now=NOW + 1, build=build))

    results = Counter(run_concurrently(work))
    assert results[Redeemed] == 1
    assert results[Reused] >= 1, "PostgreSQL may report several before the grant is revoked"
    assert results[Reused] + results[Unknown] == MANY - 1
    assert len(given) == 1
    assert not works(store, given[0]), "the other redemptions are reuse and revoke it (RFC 9700 §4.2.4)"
    assert not refreshes(store, f"refresh {given[0]}")


@pytest.mark.parametrize("attempt", range(3))
def test_concurrent_refreshes_get_same_tokens_row25(store: Store, attempt: int) -> None:
    allow(store)
    redeem(store)
    assert all(run_concurrently(lambda _: refresh(store, "refresh access")))
    assert works(store, "after refresh access")
    assert refreshes(store, "refresh after refresh access")
    assert not refreshes(store, "refresh access")
    assert store.purge(now=NOW * 2)["refresh_tokens"] == 2, "the first token and its one successor"


def test_concurrent_refreshes_store_one_token_per_scope_row26(store: Store) -> None:
    allow(store, scope="a b c openid")
    redeem(store)
    scopes = ["a", "b", "c", None]
    assert all(run_concurrently(lambda number: refresh(store, "refresh access", scope=scopes[number % 4])))
    purged = store.purge(now=NOW * 2)
    assert (purged["refresh_tokens"], purged["access_tokens"]) == (2, 1 + len(scopes))


def test_concurrent_refreshes_after_grace_revoke_grant_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access")
    assert not any(run_concurrently(lambda _: refresh(store, "refresh access", now=NOW + 3 + GRACE)))
    assert not works(store, "after refresh access")


def test_refresh_during_revocation_leaves_no_valid_token(store: Store) -> None:
    allow(store)
    redeem(store)

    def work(number: int) -> bool:
        if number % 4 == 0:
            return store.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) > 0
        return refresh(store, "refresh access")

    run_concurrently(work)
    assert not works(store, "after refresh access")
    assert not refreshes(store, "refresh after refresh access")


@pytest.mark.parametrize("attempt", range(3))
def test_one_concurrent_callback_consumes_login(store: Store, attempt: int) -> None:
    store.pending_logins.save(login())
    results = run_concurrently(lambda number: consume(store, ticket_hash=fingerprint(f"ST-{number % 2}")))
    assert Counter(results) == {Consumed(login()): 1, AlreadyConsumed(login()): MANY - 1}


def test_ticket_consumes_one_of_many_logins(store: Store) -> None:
    for number in range(MANY):
        store.pending_logins.save(login(state_hash=fingerprint(f"state {number}")))
    results = run_concurrently(lambda number: consume(store, f"state {number}"))
    assert Counter(type(result) for result in results) == {Consumed: 1, AlreadyConsumed: MANY - 1}


def test_concurrent_ends_end_session_once(store: Store) -> None:
    begin(store)
    allow(store)
    ended = run_concurrently(lambda _: store.sessions.end(session().sid, now=NOW))
    assert [list(clients) for clients in ended if clients is not None] == [[("hub", "alice")]]


def test_no_code_outlives_session_ending_concurrently(store: Store) -> None:
    begin(store)

    def work(number: int) -> None:
        if number == MANY // 2:
            store.sessions.end(session().sid, now=NOW)
        else:
            allow(store, f"grant {number}", f"code {number}")

    run_concurrently(work)
    assert not [number for number in range(MANY) if redeem(store, f"code {number}", gives=f"token {number}")]


def test_one_worker_adds_next_key_row65(store: Store) -> None:
    assert Counter(run_concurrently(lambda n: store.keys.add(key(f"first {n}"), after=None)))[True] == 1
    (first,) = store.keys.all()
    assert Counter(run_concurrently(lambda n: store.keys.add(key(f"next {n}"), after=first.kid)))[True] == 1
    assert len(store.keys.all()) == 2


def test_delivery_is_leased_to_one_worker(store: Store) -> None:
    store.deliveries.queue([(f"client {number}", "sid", "alice", "https://hub/") for number in range(100)], now=NOW)

    def work(_: int) -> list[LogoutDelivery]:
        return [*store.deliveries.lease_due(now=NOW, lease=30, limit=3)]

    leased = run_concurrently(work)
    assert max(len(batch) for batch in leased) == 3
    numbers = [each.delivery_id for batch in leased for each in batch]
    assert len(numbers) == len(set(numbers)) >= MANY
    assert {each.attempts for batch in leased for each in batch} == {1}


def test_concurrent_consents_are_merged(store: Store) -> None:
    run_concurrently(lambda number: store.grants.add_consent("hub", "alice", f"openid scope{number}", now=NOW))
    consented = store.grants.consented_scope("hub", "alice").split()
    assert sorted(consented) == sorted(["openid", *(f"scope{number}" for number in range(MANY))])


def test_concurrent_puts_count_as_one_version_each(store: Store) -> None:
    before = store.clients.version()
    run_concurrently(lambda number: store.clients.put(client(document=f"{number}"), now=NOW))
    assert len(store.clients.all()) == 1
    assert store.clients.version() == before + MANY


def test_concurrent_revocations_do_not_deadlock(store: Store) -> None:
    """PostgreSQL would resolve a deadlock by failing one of the transactions."""
    for number in range(40):
        name = f"{number % 8}"
        if number < 8:
            begin(store, name)
        allow(store, f"grant {number}", f"code {number}", client_id=f"client {number % 5}", sid=f"sid of {name}")
        redeem(store, f"code {number}", gives=f"token {number}")

    def work(number: int) -> None:
        operations: list[Callable[[], object]] = [
            lambda: store.sessions.end(f"sid of {number % 8}", now=NOW + 2),
            lambda: store.grants.revoke_client(f"client {number % 5}", now=NOW + 2),
            lambda: store.grants.revoke_client_of_subject(f"client {number % 5}", "alice", now=NOW + 2),
            lambda: redeem(store, f"code {number}", gives="x"),
            lambda: refresh(store, f"refresh token {number}"),
            lambda: store.purge(now=NOW),
        ]
        for offset in range(len(operations)):
            operations[(number + offset) % len(operations)]()

    run_concurrently(work)
    assert not [number for number in range(40) if works(store, f"token {number}")]


def test_concurrent_purges_delete_each_row_once(store: Store) -> None:
    for number in range(MANY):
        store.pending_logins.save(login(state_hash=fingerprint(f"{number}")))
        allow(store, f"grant {number}", f"code {number}")
    purged = run_concurrently(lambda _: store.purge(now=NOW * 2))
    assert sum(each["pending_logins"] for each in purged) == MANY
    store.purge(now=NOW * 2)
    assert not any(store.purge(now=NOW * 2).values())


def test_writes_during_purge_do_not_fail(store: Store) -> None:
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

    run_concurrently(work)
    assert len(done) == MANY


def test_concurrent_refreshes_build_for_same_grant(store: Store) -> None:
    allow(store)
    redeem(store)
    seen: list[Grant] = []

    def build(allowed: Grant) -> SampleIssue:
        seen.append(allowed)
        return issue("same", allowed, now=NOW + 2)

    results = run_concurrently(lambda _: rotate(store, "refresh access", build))
    assert results == [Redeemed(issue("same", grant(), now=NOW + 2))] * MANY
    assert seen == [grant()] * MANY
