"""Many threads at once: exactly one wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from bridge.store import AccessToken, AuthorizationCode, Session, SqlStore, Store, fingerprint
from tests.contract.records import NOW, claim, code, login, session, token_for

Result = TypeVar("Result")
MANY = 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path}/bridge.sqlite3")
    yield store
    store.close()


def all_at_once(what: Callable[[int], Result]) -> list[Result]:
    start = Barrier(MANY)

    def run(number: int) -> Result:
        start.wait()
        return what(number)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(run, range(MANY)))


@pytest.mark.parametrize("time", range(3))
def test_of_many_redemptions_one_wins_and_the_losers_mint_nothing(store: Store, time: int) -> None:
    store.save_session(session())
    store.save_code(code())
    minted: list[str] = []

    def redeem(number: int) -> AuthorizationCode | None:
        def mint(code: AuthorizationCode, of: Session) -> AccessToken:
            minted.append(f"token {number}")
            return replace(token_for(code, of), token_hash=fingerprint(f"token {number}"))

        return store.redeem_code(fingerprint("code"), now=NOW + 1, mint=mint)

    winners = [won for won in all_at_once(redeem) if won is not None]
    assert winners == [code()]
    assert len(minted) == 1
    assert store.find_access_token(fingerprint(minted[0]), now=NOW + 2) is None, "the losers' replays revoked it"


@pytest.mark.parametrize("time", range(3))
def test_of_many_callbacks_one_claims_the_login(store: Store, time: int) -> None:
    store.save_pending_login(login())
    claimed = all_at_once(lambda number: claim(store, ticket_hash=fingerprint(f"ST-{number % 2}")))
    assert [found for found in claimed if found is not None] == [login()]


def test_one_ticket_claims_one_of_many_logins(store: Store) -> None:
    for number in range(MANY):
        store.save_pending_login(login(state_hash=fingerprint(f"state {number}")))
    claimed = all_at_once(lambda number: claim(store, f"state {number}"))
    assert Counter(found is not None for found in claimed) == {True: 1, False: MANY - 1}


def test_writing_and_purging_at_once_locks_nobody_out(store: Store) -> None:
    def work(number: int) -> bool:
        mine = session(session_hash=fingerprint(f"session {number}"))
        store.save_session(mine)
        store.save_code(code(code_hash=fingerprint(f"code {number}"), session_hash=mine.session_hash))
        store.purge(now=NOW)
        return store.redeem_code(fingerprint(f"code {number}"), now=NOW + 1, mint=token_for) is not None

    assert all(all_at_once(work))
