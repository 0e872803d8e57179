"""What every store promises. A second backend joins by a line in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.store import AccessToken, SigningKey, SqlStore, Store, fingerprint
from tests.contract.records import DAY, NOW, claim, code, login, never, redeem, session, token_for, token_hash

BACKENDS: dict[str, Callable[[Path], Store]] = {"sqlite": lambda folder: SqlStore(f"sqlite:///{folder}/bridge.sqlite3")}


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = BACKENDS[request.param](tmp_path)
    yield store
    store.close()


@pytest.fixture
def with_code(store: Store) -> Store:
    """A session, and a code of it."""
    store.save_session(session())
    store.save_code(code())
    return store


def test_a_pending_login_comes_back_as_it_was_saved(store: Store) -> None:
    store.save_pending_login(login())
    assert claim(store) == login()


def test_a_pending_login_is_claimed_once(store: Store) -> None:
    store.save_pending_login(login())
    claim(store)
    assert claim(store) is None
    assert claim(store, ticket_hash=fingerprint("ST-2")) is None


@pytest.mark.parametrize(
    "changes",
    [{"browser_hash": fingerprint("another")}, {"now": NOW + 600}, {"now": NOW + 601}, {"state": "unknown"}],
)
def test_a_login_of_another_browser_or_time_is_not_claimed_and_not_spoilt(
    store: Store, changes: dict[str, Any]
) -> None:
    store.save_pending_login(login())
    assert claim(store, **changes) is None
    assert claim(store, now=NOW + 599) is not None


def test_a_ticket_claims_one_login_only(store: Store) -> None:
    for state in ("state", "other"):
        store.save_pending_login(login(state_hash=fingerprint(state)))
    assert claim(store) is not None
    assert claim(store, "other") is None
    assert claim(store, "other", ticket_hash=fingerprint("ST-2")) is not None


def test_a_login_is_found_by_its_browser_claimed_or_not(store: Store) -> None:
    store.save_pending_login(login())
    browser = fingerprint("browser")
    assert store.find_pending_login(fingerprint("state"), browser_hash=browser) == login()
    claim(store)
    assert store.find_pending_login(fingerprint("state"), browser_hash=browser) == login()
    assert store.find_pending_login(fingerprint("state"), browser_hash=fingerprint("another")) is None


def test_a_session_comes_back_with_every_odd_character(store: Store) -> None:
    store.save_session(session())
    assert store.find_session(fingerprint("session"), now=NOW) == session()


@pytest.mark.parametrize(("now", "found"), [(NOW + 8 * 3600 - 1, True), (NOW + 8 * 3600, False)])
def test_a_session_is_found_until_it_expires(store: Store, now: int, found: bool) -> None:
    store.save_session(session())
    assert (store.find_session(fingerprint("session"), now=now) is not None) is found
    assert store.find_session(fingerprint("another"), now=now) is None


def test_a_redeemed_code_gives_its_token_and_session(with_code: Store) -> None:
    assert redeem(with_code) == code()
    assert with_code.find_access_token(token_hash(code()), now=NOW + 2) == (token_for(code(), session()), session())


def test_a_second_redemption_mints_nothing_and_revokes(with_code: Store) -> None:
    redeem(with_code)
    assert redeem(with_code, mint=never) is None
    assert with_code.find_access_token(token_hash(code()), now=NOW + 2) is None


def test_a_replay_revokes_nothing_else(with_code: Store) -> None:
    with_code.save_code(code(code_hash=fingerprint("other code")))
    other = code(code_hash=fingerprint("other code"))
    with_code.redeem_code(fingerprint("other code"), now=NOW + 1, mint=token_for)
    redeem(with_code)
    redeem(with_code)
    assert with_code.find_access_token(token_hash(other), now=NOW + 2) is not None


@pytest.mark.parametrize("now", [NOW + 60, NOW + 61, NOW + DAY])
def test_an_expired_code_mints_nothing(with_code: Store, now: int) -> None:
    assert redeem(with_code, now=now, mint=never) is None


def test_an_unknown_code_mints_nothing(store: Store) -> None:
    assert redeem(store, mint=never) is None


def test_mint_may_refuse_and_the_code_is_spent_all_the_same(with_code: Store) -> None:
    class NotThisClientError(Exception):
        pass

    def refuse(*_: object) -> AccessToken:
        raise NotThisClientError

    with pytest.raises(NotThisClientError):
        redeem(with_code, mint=refuse)
    assert redeem(with_code, mint=never) is None
    assert with_code.find_access_token(token_hash(code()), now=NOW + 2) is None


def test_a_token_outlives_its_session_but_not_itself(store: Store) -> None:
    store.save_session(session(expires_at=NOW + 10))
    store.save_code(code())
    assert redeem(store) is not None
    assert store.find_access_token(token_hash(code()), now=NOW + 3599) is not None
    assert store.find_access_token(token_hash(code()), now=NOW + 3600) is None


def test_a_code_of_a_session_that_expired_meanwhile_is_still_good(store: Store) -> None:
    store.save_session(session(expires_at=NOW + 1))
    store.save_code(code())
    assert redeem(store, now=NOW + 30) is not None


def test_the_first_signing_key_is_added_once(store: Store) -> None:
    first = SigningKey(kid="one", algorithm="RS256", encrypted_private_jwk="…", created_at=NOW)
    second = SigningKey(kid="two", algorithm="RS256", encrypted_private_jwk="…", created_at=NOW + 1)
    assert store.signing_keys() == ()
    assert store.add_first_signing_key(first) is True
    assert store.add_first_signing_key(second) is False
    assert store.signing_keys() == (first,)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    for make in BACKENDS.values():
        before = make(tmp_path)
        before.save_pending_login(login())
        before.save_session(session())
        before.save_code(code())
        redeem(before)
        before.close()
        after = make(tmp_path)
        assert claim(after) == login()
        assert after.find_session(fingerprint("session"), now=NOW) == session()
        assert after.find_access_token(token_hash(code()), now=NOW + 2) is not None
        assert redeem(after, mint=never) is None
        after.close()


def test_purge_keeps_what_is_needed(with_code: Store) -> None:
    with_code.save_pending_login(login())
    redeem(with_code)
    assert not any(with_code.purge(now=NOW + 59).values())
    assert claim(with_code, now=NOW + 59) is not None
    assert with_code.find_access_token(token_hash(code()), now=NOW + 59) is not None


def test_purge_leaves_the_session_of_a_living_token(store: Store) -> None:
    store.save_session(session(expires_at=NOW + 10))
    store.save_code(code())
    redeem(store)
    store.purge(now=NOW + 3599)
    assert store.find_access_token(token_hash(code()), now=NOW + 3599) is not None
    assert redeem(store, now=NOW + 3599, mint=never) is None
    assert store.find_access_token(token_hash(code()), now=NOW + 3599) is None, "the replay was still known"


def test_purge_leaves_the_session_of_a_living_code(store: Store) -> None:
    store.save_session(session(expires_at=NOW + 1))
    store.save_code(code())
    store.purge(now=NOW + 59)
    assert redeem(store, now=NOW + 59) is not None


def test_purge_deletes_what_nobody_can_use(with_code: Store) -> None:
    with_code.save_pending_login(login())
    redeem(with_code)
    purged = with_code.purge(now=NOW + 60 + DAY)
    assert dict(purged) == {"pending_logins": 1, "access_tokens": 1, "codes": 1, "sessions": 1}
    assert not any(with_code.purge(now=NOW + 60 + DAY).values())
    assert with_code.find_pending_login(fingerprint("state"), browser_hash=fingerprint("browser")) is None


def test_a_store_that_answers_passes_its_check(store: Store) -> None:
    store.check()
