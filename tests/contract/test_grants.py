"""The contract of `Grants` for codes, access tokens and refresh tokens."""

from __future__ import annotations

import pytest

from bridge.store import Grant, Redeemed, Reused, Store, Unknown, fingerprint
from bridge.store.grants import GRANTS_KEPT
from tests.contract.records import (
    ACCESS_LIFETIME,
    CODE_LIFETIME,
    DAY,
    GRACE,
    NOW,
    REFRESH_LIFETIME,
    RejectedError,
    SampleIssue,
    allow,
    begin,
    grant,
    issue,
    never,
    own_grant,
    redeem,
    refresh,
    refreshes,
    reject,
    rotate,
    session,
    works,
)

CODE = fingerprint("code")
REFRESH = "refresh access"


def test_redeemed_code_stores_tokens_under_its_grant(store: Store) -> None:
    seen: list[Grant] = []

    def build(allowed: Grant) -> SampleIssue:
        seen.append(allowed)
        return issue("access", allowed, now=NOW + 1)

    allow(store)
    given = issue("access", grant(), now=NOW + 1)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=build) == Redeemed(given)
    assert seen == [grant()]
    records = given.records
    found = store.grants.find_access_token(fingerprint("access"), now=NOW + 1)
    assert found == (records.access_token, grant())
    assert store.grants.find_refresh_token(fingerprint(REFRESH), now=NOW + 1) == (records.refresh_token, grant())


def test_client_credentials_token_has_no_user(store: Store) -> None:
    records = issue("access", own_grant(), now=NOW, refresh=False).records
    store.grants.begin_with_token(own_grant(), records)
    assert store.grants.find_access_token(fingerprint("access"), now=NOW) == (records.access_token, own_grant())


def test_code_reuse_revokes_grant_row16_row17(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Reused(grant())
    assert not works(store, "access")
    assert not refreshes(store, REFRESH)
    assert refresh(store, REFRESH) is False


def test_code_reuse_by_another_client_keeps_grant(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(CODE, client_id="portal", now=NOW + 1, build=never) == Unknown()
    assert works(store, "access")


def test_refresh_reuse_by_another_client_keeps_grant(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, REFRESH)
    late = NOW + 2 * GRACE
    presented = {"token_hash": fingerprint(REFRESH), "now": late, "grace": GRACE, "build": never}
    assert store.grants.rotate_refresh_token(client_id="portal", **presented) == Unknown()
    assert works(store, "access", now=late)


def test_code_reuse_is_reported_once(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Reused(grant())
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Unknown()


def test_code_reuse_after_expiry_revokes_grant_row17(store: Store) -> None:
    allow(store)
    redeem(store)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + CODE_LIFETIME, build=never) == Reused(grant())
    assert not works(store, "access", now=NOW + CODE_LIFETIME)


def test_code_reuse_keeps_other_grants(store: Store) -> None:
    allow(store)
    allow(store, "other", "other code")
    redeem(store, "other code", gives="other")
    redeem(store)
    redeem(store)
    assert works(store, "other")


@pytest.mark.parametrize("now", [NOW + CODE_LIFETIME, NOW + CODE_LIFETIME + 1, NOW + DAY])
def test_expired_code_is_unknown_row19(store: Store, now: int) -> None:
    allow(store)
    assert store.grants.redeem_code(CODE, client_id="hub", now=now, build=never) == Unknown()


def test_code_is_valid_until_last_second(store: Store) -> None:
    allow(store)
    assert redeem(store, now=NOW + CODE_LIFETIME - 1) is True


def test_code_never_issued_is_unknown(store: Store) -> None:
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Unknown()


def test_code_of_revoked_grant_is_unknown(store: Store) -> None:
    allow(store)
    store.grants.revoke_client("hub", now=NOW)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Unknown()


def test_rejected_redemption_spends_code_row20_row21(store: Store) -> None:
    allow(store)
    with pytest.raises(RejectedError):
        store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=reject)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Reused(grant())
    assert not works(store, "access")


@pytest.mark.parametrize("offline", [False, True])
def test_code_of_ended_session_is_unknown(store: Store, offline: bool) -> None:
    begin(store)
    store.sessions.end(session().sid, now=NOW)
    allow(store, offline=offline)
    assert store.grants.redeem_code(CODE, client_id="hub", now=NOW + 1, build=never) == Unknown()


def test_code_of_expired_session_is_valid(store: Store) -> None:
    begin(store, expires_at=NOW)
    allow(store)
    assert redeem(store) is True


@pytest.mark.parametrize(("now", "valid"), [(NOW + ACCESS_LIFETIME, True), (NOW + 1 + ACCESS_LIFETIME, False)])
def test_access_token_is_valid_until_expiry(store: Store, now: int, valid: bool) -> None:
    allow(store)
    redeem(store)
    assert works(store, "access", now=now) is valid
    assert not works(store, "another", now=NOW)


@pytest.mark.parametrize(("now", "valid"), [(NOW + REFRESH_LIFETIME, True), (NOW + 1 + REFRESH_LIFETIME, False)])
def test_refresh_token_is_valid_until_expiry_row27(store: Store, now: int, valid: bool) -> None:
    allow(store)
    redeem(store)
    assert refreshes(store, REFRESH, now=now) is valid
    assert refresh(store, REFRESH, now=now) is valid


def test_refresh_rotates_token_and_keeps_access_row23(store: Store) -> None:
    allow(store)
    redeem(store)
    assert refresh(store, REFRESH) is True
    assert works(store, "access")
    assert works(store, "after refresh access")
    assert not refreshes(store, REFRESH)
    assert refreshes(store, "refresh after refresh access")


def test_rotation_builds_tokens_for_its_grant(store: Store) -> None:
    seen: list[Grant] = []

    def build(allowed: Grant) -> SampleIssue:
        seen.append(allowed)
        return issue("fresh", allowed, now=NOW + 2)

    allow(store)
    redeem(store)
    for _ in range(2):
        assert rotate(store, REFRESH, build) == Redeemed(issue("fresh", grant(), now=NOW + 2))
    assert seen == [grant(), grant()]


def test_refresh_token_never_issued_is_unknown(store: Store) -> None:
    assert rotate(store, "x", never, now=NOW) == Unknown()


def test_refresh_repeats_lost_response_row25(store: Store) -> None:
    allow(store)
    redeem(store)
    assert refresh(store, REFRESH, now=NOW + 2) is True
    assert refresh(store, REFRESH, now=NOW + 2 + GRACE) is True
    assert refreshes(store, "refresh after refresh access", now=NOW + 2 + GRACE)
    assert works(store, "after refresh access")


def test_refresh_repetition_can_narrow_scope_row26(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, REFRESH)
    for _ in range(2):
        assert refresh(store, REFRESH, scope="openid") is True
    found = store.grants.find_access_token(fingerprint("after refresh access with openid"), now=NOW + 3)
    assert found is not None
    assert (found[0].scope, found[1].scope) == ("openid", "openid profile")


def test_refresh_token_reuse_after_grace_revokes_grant_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, REFRESH, now=NOW + 2)
    assert rotate(store, REFRESH, never, now=NOW + 2 + GRACE + 1) == Reused(grant())
    for token in ("access", "after refresh access"):
        assert not works(store, token)
    assert refresh(store, "refresh after refresh access") is False


def test_reuse_after_successor_was_used_revokes_grant_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, REFRESH)
    refresh(store, "refresh after refresh access")
    assert rotate(store, REFRESH, never) == Reused(grant())
    assert refresh(store, f"refresh after {'refresh after '}refresh access") is False
    assert not works(store, "access")


def test_repetition_with_other_tokens_is_reuse(store: Store) -> None:
    allow(store)
    redeem(store)
    refresh(store, REFRESH)
    result = rotate(store, REFRESH, lambda allowed: issue("something else", allowed, now=NOW + 2))
    assert result == Reused(grant())
    assert not works(store, "something else")
    assert not works(store, "after refresh access")


@pytest.mark.parametrize("rotated", [True, False], ids=["rotated before", "not rotated"])
def test_rejected_refresh_changes_nothing(store: Store, rotated: bool) -> None:
    allow(store)
    redeem(store)
    if rotated:
        refresh(store, REFRESH)
    with pytest.raises(RejectedError):
        rotate(store, REFRESH, reject, now=NOW + 3)
    assert refresh(store, REFRESH, now=NOW + 4) is True
    assert works(store, "access")


def test_refresh_without_successor_cannot_be_repeated(store: Store) -> None:
    """The client may not use refresh tokens any more."""
    allow(store)
    redeem(store)

    def build(allowed: Grant) -> SampleIssue:
        return issue("last", allowed, now=NOW + 2, refresh=False)

    assert rotate(store, REFRESH, build) == Redeemed(build(grant()))
    assert rotate(store, REFRESH, build) == Reused(grant())
    assert not works(store, "last")


def test_abandoned_codes_of_a_session_are_discarded(store: Store) -> None:
    """A signed-in browser could otherwise store any number of them for a day."""
    begin(store)
    for n in range(5):
        allow(store, f"grant {n}", f"code {n}", created_at=NOW + n * (CODE_LIFETIME + 1))
    assert store.purge(now=2**40)["grants"] == 1


def test_oldest_of_too_many_grants_is_discarded(store: Store) -> None:
    """A signed-in browser and a public client could otherwise store any number of redeemed codes for a day."""
    begin(store)
    for n in range(GRANTS_KEPT + 2):
        allow(store, f"grant {n}", f"code {n}", created_at=NOW + n)
        redeem(store, f"code {n}", gives=f"token {n}", now=NOW + n)
    assert [works(store, f"token {n}", now=NOW + n) for n in (0, 1, 2, GRANTS_KEPT + 1)] == [False, False, True, True]


def test_redeemed_and_fresh_codes_are_not_discarded(store: Store) -> None:
    begin(store)
    allow(store, "redeemed", "code redeemed")
    redeem(store, "code redeemed", gives="token")
    allow(store, "of another client", "code of another", client_id="portal")
    allow(store, "fresh", "code fresh", created_at=NOW + CODE_LIFETIME)
    allow(store, "fresher", "code fresher", created_at=NOW + CODE_LIFETIME + 1)
    assert works(store, "token")
    assert store.purge(now=2**40)["grants"] == 4
