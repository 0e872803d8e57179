"""`Grants`: what can be taken back, and what can be seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.store import ClientAccess, Store, fingerprint
from tests.contract.records import (
    ACCESS_LIFETIME,
    BOB,
    HOUR,
    NOW,
    REFRESH_LIFETIME,
    allow,
    begin,
    build_token_records,
    own_grant,
    redeem,
    refresh,
    refreshes,
    works,
)


@pytest.fixture
def held(store: Store) -> Store:
    """Alice's hub and portal hold tokens, and so does Bob's hub; the token of each is named after it."""
    begin(store)
    allow(store, "alice's hub", "code 1")
    allow(store, "alice's portal", "code 2", client_id="portal")
    allow(store, "bob's hub", "code 3", identity=BOB)
    for secret, gives in {"code 1": "alice's hub", "code 2": "alice's portal", "code 3": "bob's hub"}.items():
        redeem(store, secret, gives=gives)
    return store


def test_subjects_are_found_by_the_name_of_whoever_left_access_in_whatever_case(held: Store) -> None:
    begin(held, "other", identity=replace(BOB, subject="17", username="BOB"))
    allow(held, "offline", "code 4", sid=None, offline=True, identity=replace(BOB, subject="18", username="Bob"))
    assert held.grants.subjects_named("bOb") == sorted({BOB.subject, "18"})
    held.grants.revoke_subject("18", now=NOW + 2)
    assert held.grants.subjects_named("bob") == [BOB.subject]
    assert held.grants.subjects_named("bo_") == []


def test_a_client_takes_back_one_access_token_of_its_own_row68(held: Store) -> None:
    hashed = fingerprint("alice's hub")
    assert held.grants.revoke_access_token(hashed, client_id="portal", now=NOW + 2) is False
    assert works(held, "alice's hub")
    assert held.grants.revoke_access_token(hashed, client_id="hub", now=NOW + 2) is True
    assert held.grants.revoke_access_token(hashed, client_id="hub", now=NOW + 2) is False
    assert not works(held, "alice's hub")
    assert refreshes(held, "refresh alice's hub")
    assert held.grants.revoke_access_token(fingerprint("unknown"), client_id="hub", now=NOW) is False


def test_a_refresh_token_takes_back_its_whole_grant_row68(held: Store) -> None:
    hashed = fingerprint("refresh alice's hub")
    assert held.grants.revoke_by_refresh_token(hashed, client_id="portal", now=NOW + 2) is False
    assert works(held, "alice's hub")
    assert held.grants.revoke_by_refresh_token(hashed, client_id="hub", now=NOW + 2) is True
    assert held.grants.revoke_by_refresh_token(hashed, client_id="hub", now=NOW + 2) is False
    assert not works(held, "alice's hub")
    assert not refreshes(held, "refresh alice's hub")
    assert works(held, "bob's hub")
    assert held.grants.revoke_by_refresh_token(fingerprint("unknown"), client_id="hub", now=NOW) is False


def test_a_replaced_refresh_token_takes_back_the_grant_as_well(held: Store) -> None:
    refresh(held, "refresh alice's hub")
    assert held.grants.revoke_by_refresh_token(fingerprint("refresh alice's hub"), client_id="hub", now=NOW) is True
    assert not refreshes(held, "refresh after refresh alice's hub")


def test_a_user_takes_back_what_one_client_holds(held: Store) -> None:
    allow(held, "again", "code 4")
    assert held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) == 2
    assert held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) == 0
    assert not works(held, "alice's hub")
    assert works(held, "alice's portal")
    assert works(held, "bob's hub")


def test_a_removed_client_loses_all(held: Store) -> None:
    held.grants.begin_with_token(own_grant(), build_token_records("own", own_grant(), now=NOW, refresh=False))
    assert held.grants.revoke_client("hub", now=NOW + 2) == 3
    assert [works(held, each) for each in ("alice's hub", "bob's hub", "own", "alice's portal")] == [*3 * [False], True]


def test_the_applications_of_a_user_are_listed_once_each(held: Store) -> None:
    allow(held, "again", "code 4", scope="openid email", created_at=NOW + 5)
    redeem(held, "code 4", gives="again", now=NOW + 6)
    assert list(held.grants.access_of_subject("alice", now=NOW + 7)) == [
        ClientAccess(client_id="hub", scope="openid profile email", since=NOW, until=NOW + 6 + REFRESH_LIFETIME),
        ClientAccess(client_id="portal", scope="openid profile", since=NOW, until=NOW + 1 + REFRESH_LIFETIME),
    ]
    assert list(held.grants.access_of_subject("nobody", now=NOW)) == []


def test_access_that_was_revoked_expired_or_never_redeemed_is_not_listed(held: Store) -> None:
    allow(held, "never redeemed", "code 4", client_id="cli")
    held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2)
    assert [each.client_id for each in held.grants.access_of_subject("alice", now=NOW + 3)] == ["portal"]
    end = NOW + 1 + REFRESH_LIFETIME
    assert [each.client_id for each in held.grants.access_of_subject("alice", now=end - 1)] == ["portal"]
    assert list(held.grants.access_of_subject("alice", now=end)) == []


def test_access_without_a_refresh_token_lasts_as_long_as_the_access_token(store: Store) -> None:
    given = allow(store)
    store.grants.redeem_code(
        fingerprint("code"), now=NOW, mint=lambda *_: build_token_records("access", given, now=NOW, refresh=False)
    )
    (listed,) = store.grants.access_of_subject("alice", now=NOW)
    assert listed.until == NOW + ACCESS_LIFETIME
    store.grants.revoke_access_token(fingerprint("access"), client_id="hub", now=NOW)
    assert list(store.grants.access_of_subject("alice", now=NOW)) == []


def test_a_replaced_refresh_token_does_not_count_as_access(store: Store) -> None:
    """Its successor may have been cut short."""
    given = allow(store)
    redeem(store)
    store.grants.rotate_refresh_token(
        fingerprint("refresh access"),
        now=NOW + 2,
        grace=0,
        mint=lambda *_: build_token_records("last", given, now=NOW + 2, refresh=False),
    )
    (listed,) = store.grants.access_of_subject("alice", now=NOW + 3)
    assert listed.until == NOW + 2 + ACCESS_LIFETIME


def test_consent_grows_and_is_one_users_for_one_client(store: Store) -> None:
    assert store.grants.consented_scope("hub", "alice") == ""
    store.grants.remember_consent("hub", "alice", "openid profile", now=NOW)
    store.grants.remember_consent("hub", "alice", "openid email", now=NOW + HOUR)
    assert store.grants.consented_scope("hub", "alice") == "openid profile email"
    assert store.grants.consented_scope("portal", "alice") == ""
    assert store.grants.consented_scope("hub", "bob") == ""


def test_who_takes_back_access_is_asked_again(store: Store) -> None:
    for subject in ("alice", "bob"):
        store.grants.remember_consent("hub", subject, "openid", now=NOW)
    store.grants.revoke_client_of_subject("hub", "alice", now=NOW)
    assert [store.grants.consented_scope("hub", subject) for subject in ("alice", "bob")] == ["", "openid"]


def test_nobody_has_agreed_to_what_takes_the_name_of_a_removed_client(store: Store) -> None:
    store.grants.remember_consent("hub", "alice", "openid", now=NOW)
    store.grants.revoke_client("hub", now=NOW)
    assert store.grants.consented_scope("hub", "alice") == ""
