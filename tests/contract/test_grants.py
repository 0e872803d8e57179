"""`Grants`: what every store promises of codes, access tokens and refresh tokens."""

from __future__ import annotations

import pytest

from bridge.store import AuthorizationCode, Grant, Minted, RefreshToken, Store, fingerprint
from tests.contract.records import (
    ACCESS_LIFETIME,
    CODE_LIFETIME,
    DAY,
    GRACE,
    NOW,
    REFRESH_LIFETIME,
    RefusedError,
    allow,
    begin,
    build_token_records,
    code,
    grant,
    never,
    own_grant,
    redeem,
    refresh,
    refreshes,
    refuse,
    session,
    works,
)

AT = {"now": NOW + 1}


def test_a_redeemed_code_gives_the_grant_as_it_was_saved_and_stores_what_was_minted(store: Store) -> None:
    seen: list[tuple[AuthorizationCode, Grant]] = []

    def mint(of: AuthorizationCode, allowed: Grant) -> Minted:
        seen.append((of, allowed))
        return build_token_records("access", allowed, **AT)

    allow(store)
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=mint) is True
    assert seen == [(code(), grant())]
    given = build_token_records("access", grant(), **AT)
    assert store.grants.find_access_token(fingerprint("access"), **AT) == (given.access_token, grant())
    assert store.grants.find_refresh_token(fingerprint("refresh access"), **AT) == (given.refresh_token, grant())


def test_a_client_that_acts_for_itself_gets_a_token_of_nobody(store: Store) -> None:
    given = build_token_records("access", own_grant(), now=NOW, refresh=False)
    store.grants.begin_with_token(own_grant(), given)
    assert store.grants.find_access_token(fingerprint("access"), now=NOW) == (given.access_token, own_grant())


def test_a_second_redemption_mints_nothing_and_revokes_the_whole_grant_row16_row17(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=never) is False
    assert not works(store, "access")
    assert not refreshes(store, "refresh access")
    assert refresh(store, "refresh access") is False


def test_a_second_redemption_after_the_code_expired_still_revokes_row17(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(fingerprint("code"), now=NOW + CODE_LIFETIME, mint=never) is False
    assert not works(store, "access", now=NOW + CODE_LIFETIME)


def test_a_replay_revokes_nothing_else(store: Store) -> None:
    allow(store)
    allow(store, "other", "other code")
    redeem(store, "other code", gives="other")
    redeem(store)
    redeem(store)
    assert works(store, "other")


@pytest.mark.parametrize("now", [NOW + CODE_LIFETIME, NOW + CODE_LIFETIME + 1, NOW + DAY])
def test_an_expired_code_mints_nothing_row19(store: Store, now: int) -> None:
    allow(store)
    assert store.grants.redeem_code(fingerprint("code"), now=now, mint=never) is False


def test_a_code_is_good_until_the_last_second(store: Store) -> None:
    allow(store)
    assert redeem(store, now=NOW + CODE_LIFETIME - 1) is True


def test_an_unknown_code_mints_nothing(store: Store) -> None:
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=never) is False


def test_a_code_of_a_revoked_grant_mints_nothing(store: Store) -> None:
    allow(store)
    store.grants.revoke_client("hub", now=NOW)
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=never) is False


def test_mint_may_refuse_and_the_code_is_spent_all_the_same_row20_row21(store: Store) -> None:
    allow(store)
    with pytest.raises(RefusedError):
        store.grants.redeem_code(fingerprint("code"), **AT, mint=refuse)
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=never) is False
    assert not works(store, "access")


@pytest.mark.parametrize("offline", [False, True])
def test_a_code_of_a_session_that_ended_meanwhile_is_dead_from_the_start(store: Store, offline: bool) -> None:
    begin(store)
    store.sessions.end(session().sid, now=NOW)
    allow(store, offline=offline)
    assert store.grants.redeem_code(fingerprint("code"), **AT, mint=never) is False


def test_a_code_of_a_session_that_expired_meanwhile_is_still_good(store: Store) -> None:
    begin(store, expires_at=NOW)
    allow(store)
    assert redeem(store) is True


@pytest.mark.parametrize(("now", "good"), [(NOW + ACCESS_LIFETIME, True), (NOW + 1 + ACCESS_LIFETIME, False)])
def test_an_access_token_works_until_it_expires(store: Store, now: int, good: bool) -> None:
    allow(store)
    redeem(store)
    assert works(store, "access", now=now) is good
    assert not works(store, "another", now=NOW)


@pytest.mark.parametrize(("now", "good"), [(NOW + REFRESH_LIFETIME, True), (NOW + 1 + REFRESH_LIFETIME, False)])
def test_a_refresh_token_works_until_it_expires_row27(store: Store, now: int, good: bool) -> None:
    allow(store)
    redeem(store)
    assert refreshes(store, "refresh access", now=now) is good
    assert refresh(store, "refresh access", now=now) is good


def test_a_refresh_replaces_the_token_and_leaves_the_access_token_row23(store: Store) -> None:
    allow(store)
    redeem(store)
    assert refresh(store, "refresh access") is True
    assert works(store, "access")
    assert works(store, "after refresh access")
    assert not refreshes(store, "refresh access")
    assert refreshes(store, "refresh after refresh access")


def test_mint_sees_the_token_and_the_grant(store: Store) -> None:
    seen: list[tuple[RefreshToken, Grant]] = []

    def mint(token: RefreshToken, allowed: Grant) -> Minted:
        seen.append((token, allowed))
        return build_token_records("fresh", allowed, now=NOW + 2)

    allow(store)
    redeem(store)
    for _ in range(2):
        assert store.grants.rotate_refresh_token(fingerprint("refresh access"), now=NOW + 2, grace=GRACE, mint=mint)
    assert seen == 2 * [(build_token_records("access", grant(), **AT).refresh_token, grant())]


def test_an_unknown_refresh_token_gives_nothing(store: Store) -> None:
    assert store.grants.rotate_refresh_token(fingerprint("x"), now=NOW, grace=GRACE, mint=never) is False


def test_an_answer_that_was_lost_is_given_again_row25(store: Store) -> None:
    allow(store)
    redeem(store)
    assert refresh(store, "refresh access", now=NOW + 2) is True
    assert refresh(store, "refresh access", now=NOW + 2 + GRACE) is True
    assert refreshes(store, "refresh after refresh access", now=NOW + 2 + GRACE)
    assert works(store, "after refresh access")


def test_a_repetition_with_a_narrower_scope_has_an_access_token_of_its_own_row26(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access")
    for _ in range(2):
        assert refresh(store, "refresh access", scope="openid") is True
    found = store.grants.find_access_token(fingerprint("after refresh access with openid"), now=NOW + 3)
    assert found is not None
    assert (found[0].scope, found[1].scope) == ("openid", "openid profile")


def test_a_repetition_after_the_grace_is_reuse_and_revokes_the_family_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access", now=NOW + 2)
    late = NOW + 2 + GRACE + 1
    assert store.grants.rotate_refresh_token(fingerprint("refresh access"), now=late, grace=GRACE, mint=never) is False
    for token in ("access", "after refresh access"):
        assert not works(store, token)
    assert refresh(store, "refresh after refresh access") is False


def test_a_repetition_after_the_successor_was_used_is_reuse_even_within_the_grace_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access")
    refresh(store, "refresh after refresh access")
    assert refresh(store, "refresh access") is False
    assert refresh(store, f"refresh after {'refresh after '}refresh access") is False
    assert not works(store, "access")


def test_a_repetition_that_would_be_answered_otherwise_is_reuse(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, "refresh access")

    def mint(_: RefreshToken, allowed: Grant) -> Minted:
        return build_token_records("something else", allowed, now=NOW + 2)

    assert not store.grants.rotate_refresh_token(fingerprint("refresh access"), now=NOW + 2, grace=GRACE, mint=mint)
    assert not works(store, "something else")
    assert not works(store, "after refresh access")


@pytest.mark.parametrize("before", [True, False], ids=["rotated before", "not yet"])
def test_mint_may_refuse_a_refresh_and_nothing_changes(store: Store, before: bool) -> None:
    allow(store)
    redeem(store)
    if before:
        refresh(store, "refresh access")
    with pytest.raises(RefusedError):
        store.grants.rotate_refresh_token(fingerprint("refresh access"), now=NOW + 3, grace=GRACE, mint=refuse)
    assert refresh(store, "refresh access", now=NOW + 4) is True
    assert works(store, "access")


def test_a_refresh_that_gives_no_successor_cannot_be_repeated(store: Store) -> None:
    """A client that may not refresh any more."""
    allow(store)
    redeem(store)

    def mint(_: RefreshToken, allowed: Grant) -> Minted:
        return build_token_records("last", allowed, now=NOW + 2, refresh=False)

    for expected in (True, False):
        hashed = fingerprint("refresh access")
        assert store.grants.rotate_refresh_token(hashed, now=NOW + 2, grace=GRACE, mint=mint) is expected
    assert not works(store, "last")
