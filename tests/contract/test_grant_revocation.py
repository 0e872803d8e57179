"""The contract of `Grants` for revocation, access lists and consents."""

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
    grant,
    issue,
    own_grant,
    redeem,
    refresh,
    refreshes,
    rotate,
    works,
)


@pytest.fixture
def held(store: Store) -> Store:
    """Alice's hub and portal and Bob's hub have tokens of these names."""
    begin(store)
    allow(store, "alice's hub", "code 1")
    allow(store, "alice's portal", "code 2", client_id="portal")
    allow(store, "bob's hub", "code 3", identity=BOB)
    for secret, gives in {"code 1": "alice's hub", "code 2": "alice's portal", "code 3": "bob's hub"}.items():
        redeem(store, secret, gives=gives)
    return store


def test_subjects_are_found_by_username_ignoring_case(held: Store) -> None:
    begin(held, "other", identity=replace(BOB, subject="17", username="BOB"))
    allow(held, "offline", "code 4", sid=None, offline=True, identity=replace(BOB, subject="18", username="Bob"))
    assert held.grants.find_subjects("bOb") == sorted({BOB.subject, "18"})
    held.grants.revoke_subject("18", now=NOW + 2)
    assert held.grants.find_subjects("bob") == [BOB.subject]
    assert held.grants.find_subjects("bo_") == []


def test_client_revokes_own_access_token_row68(held: Store) -> None:
    hashed = fingerprint("alice's hub")
    assert held.grants.revoke_access_token(hashed, client_id="portal", now=NOW + 2) is False
    assert works(held, "alice's hub")
    assert held.grants.revoke_access_token(hashed, client_id="hub", now=NOW + 2) is True
    assert held.grants.revoke_access_token(hashed, client_id="hub", now=NOW + 2) is False
    assert not works(held, "alice's hub")
    assert refreshes(held, "refresh alice's hub")
    assert held.grants.revoke_access_token(fingerprint("unknown"), client_id="hub", now=NOW) is False


def test_refresh_token_revokes_its_grant_row68(held: Store) -> None:
    hashed = fingerprint("refresh alice's hub")
    assert held.grants.revoke_by_refresh_token(hashed, client_id="portal", now=NOW + 2) is False
    assert works(held, "alice's hub")
    assert held.grants.revoke_by_refresh_token(hashed, client_id="hub", now=NOW + 2) is True
    assert held.grants.revoke_by_refresh_token(hashed, client_id="hub", now=NOW + 2) is False
    assert not works(held, "alice's hub")
    assert not refreshes(held, "refresh alice's hub")
    assert works(held, "bob's hub")
    assert held.grants.revoke_by_refresh_token(fingerprint("unknown"), client_id="hub", now=NOW) is False


def test_rotated_refresh_token_revokes_its_grant(held: Store) -> None:
    refresh(held, "refresh alice's hub")
    assert held.grants.revoke_by_refresh_token(fingerprint("refresh alice's hub"), client_id="hub", now=NOW) is True
    assert not refreshes(held, "refresh after refresh alice's hub")


def test_user_revokes_grants_of_one_client(held: Store) -> None:
    allow(held, "again", "code 4")
    assert held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) == 2
    assert held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2) == 0
    assert not works(held, "alice's hub")
    assert works(held, "alice's portal")
    assert works(held, "bob's hub")


def test_removed_client_loses_all_grants(held: Store) -> None:
    held.grants.begin_with_token(own_grant(), issue("own", own_grant(), now=NOW, refresh=False).records)
    assert held.grants.revoke_client("hub", now=NOW + 2) == 3
    assert [works(held, each) for each in ("alice's hub", "bob's hub", "own", "alice's portal")] == [*3 * [False], True]


def test_client_access_is_listed_once_per_client(held: Store) -> None:
    allow(held, "again", "code 4", scope="openid email", created_at=NOW + 5)
    redeem(held, "code 4", gives="again", now=NOW + 6)
    hub, portal = held.grants.list_client_access("alice", now=NOW + 7)
    requests = (grant().request,)
    until = NOW + 6 + REFRESH_LIFETIME
    assert hub == ClientAccess(
        client_id="hub", scope="openid profile email", requests=requests * 2, since=NOW, until=until
    )
    assert portal == ClientAccess(
        client_id="portal", scope="openid profile", requests=requests, since=NOW, until=until - 5
    )
    assert list(held.grants.list_client_access("carol", now=NOW)) == []


def test_client_access_lists_only_valid_tokens(held: Store) -> None:
    allow(held, "never redeemed", "code 4", client_id="cli")
    held.grants.revoke_client_of_subject("hub", "alice", now=NOW + 2)
    assert [each.client_id for each in held.grants.list_client_access("alice", now=NOW + 3)] == ["portal"]
    end = NOW + 1 + REFRESH_LIFETIME
    assert [each.client_id for each in held.grants.list_client_access("alice", now=end - 1)] == ["portal"]
    assert list(held.grants.list_client_access("alice", now=end)) == []


def test_client_access_ends_with_access_token(store: Store) -> None:
    allow(store)
    store.grants.redeem_code(
        fingerprint("code"),
        client_id="hub",
        now=NOW,
        build=lambda grant: issue("access", grant, now=NOW, refresh=False),
    )
    (listed,) = store.grants.list_client_access("alice", now=NOW)
    assert listed.until == NOW + ACCESS_LIFETIME
    store.grants.revoke_access_token(fingerprint("access"), client_id="hub", now=NOW)
    assert list(store.grants.list_client_access("alice", now=NOW)) == []


def test_rotated_refresh_token_does_not_extend_access(store: Store) -> None:
    allow(store)
    redeem(store)
    rotate(store, "refresh access", lambda grant: issue("last", grant, now=NOW + 2, refresh=False))
    (listed,) = store.grants.list_client_access("alice", now=NOW + 3)
    assert listed.until == NOW + 2 + ACCESS_LIFETIME


def test_consent_grows_per_user_and_client(store: Store) -> None:
    assert store.grants.consented_scope("hub", "alice") == ""
    store.grants.add_consent("hub", "alice", "openid profile", now=NOW)
    store.grants.add_consent("hub", "alice", "openid email", now=NOW + HOUR)
    assert store.grants.consented_scope("hub", "alice") == "openid profile email"
    assert store.grants.consented_scope("portal", "alice") == ""
    assert store.grants.consented_scope("hub", "bob") == ""


def test_revoking_access_deletes_consent(store: Store) -> None:
    for subject in ("alice", "bob"):
        store.grants.add_consent("hub", subject, "openid", now=NOW)
    store.grants.revoke_client_of_subject("hub", "alice", now=NOW)
    assert [store.grants.consented_scope("hub", subject) for subject in ("alice", "bob")] == ["", "openid"]


def test_removed_client_loses_its_consents(store: Store) -> None:
    store.grants.add_consent("hub", "alice", "openid", now=NOW)
    store.grants.revoke_client("hub", now=NOW)
    assert store.grants.consented_scope("hub", "alice") == ""
