"""Purging deletes expired rows only, and keeps every table small."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import func, select

from bridge.store import Consumed, Reused, Store, fingerprint
from bridge.store.database import open_engine
from bridge.store.grants import GRANTS_KEPT
from bridge.store.purge import BATCH, CLOCK_SKEW_SECONDS, GIVEN_UP_KEPT_SECONDS, KEPT_SECONDS
from bridge.store.schema import metadata
from tests.contract.records import (
    ACCESS_LIFETIME,
    CODE_LIFETIME,
    DAY,
    HOUR,
    NOW,
    REFRESH_LIFETIME,
    allow,
    begin,
    client,
    consume,
    grant,
    issue,
    key,
    login,
    never,
    own_grant,
    redeem,
    refresh,
    rotate,
    session,
    works,
)

SKEW = CLOCK_SKEW_SECONDS


def rows(database: str) -> Counter[str]:
    """Count the rows of each table."""
    engine = open_engine(database)
    with engine.connect() as connection:
        counted = Counter(
            {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )
    engine.dispose()
    return counted


def test_purge_reports_every_table(store: Store) -> None:
    kinds = ("pending_logins", "failures", "access_tokens", "refresh_tokens", "codes", "grants", "sessions")
    assert dict(store.purge(now=NOW)) == dict.fromkeys((*kinds, "logout_deliveries"), 0)


def test_purge_keeps_valid_rows(store: Store) -> None:
    begin(store)
    allow(store)
    store.pending_logins.save(login())
    assert not any(store.purge(now=NOW + CODE_LIFETIME - 1).values())
    assert redeem(store, now=NOW + CODE_LIFETIME - 1)
    assert consume(store, now=NOW + CODE_LIFETIME - 1) == Consumed(login())
    assert not any(store.purge(now=NOW + 600).values())
    assert works(store, "access", now=NOW + ACCESS_LIFETIME)


@pytest.mark.parametrize(
    ("table", "seconds"),
    [
        ("pending_logins", 600),
        ("access_tokens", ACCESS_LIFETIME + 1),
        ("refresh_tokens", REFRESH_LIFETIME + 1),
        ("codes", CODE_LIFETIME + KEPT_SECONDS),
        ("sessions", REFRESH_LIFETIME + 1),
    ],
)
def test_rows_are_purged_after_expiry_and_clock_skew(store: Store, table: str, seconds: int) -> None:
    begin(store)
    allow(store)
    redeem(store)
    store.pending_logins.save(login())
    store.purge(now=NOW + seconds + SKEW - 1)
    assert store.purge(now=NOW + seconds + SKEW)[table] == 1


def test_code_reuse_is_detected_a_day_later(store: Store) -> None:
    allow(store)
    redeem(store)
    store.purge(now=NOW + DAY)
    assert store.grants.redeem_code(fingerprint("code"), client_id="hub", now=NOW + DAY, build=never) == Reused(grant())
    assert not refresh(store, "refresh access", now=NOW + DAY)


def test_refresh_reuse_is_detected_until_expiry_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    token = "refresh access"
    for day in (5, 10):
        store.purge(now=NOW + day * DAY)
        assert refresh(store, token, now=NOW + day * DAY)
        token = f"refresh after {token}"
    late = NOW + 13 * DAY
    store.purge(now=late)
    assert rotate(store, "refresh access", never, now=late) == Reused(grant())
    assert not refresh(store, token, now=late), "the grant is revoked"


def test_expired_session_stays_with_active_grants(store: Store) -> None:
    """CAS may still end it by its ticket."""
    begin(store)
    allow(store, offline=True)
    redeem(store)
    late = NOW + REFRESH_LIFETIME - HOUR
    store.purge(now=late)
    notified: list[str] = []
    ended = store.sessions.end_by_ticket(fingerprint("ticket of session"), now=late, logout_uri=notified.append)
    assert list(ended) == [session().sid]
    assert notified == ["hub"]


def test_expired_session_without_grants_is_purged(store: Store) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    store.purge(now=NOW + REFRESH_LIFETIME + DAY)
    assert list(store.sessions.end_by_ticket(fingerprint("ticket of session"), now=NOW + REFRESH_LIFETIME + DAY)) == []


def test_grant_without_tokens_stays_with_its_session(store: Store) -> None:
    begin(store, expires_at=NOW + 30 * DAY)
    for number, client_id in enumerate(("hub", "portal")):
        allow(store, client_id, f"code {number}", client_id=client_id)
        redeem(store, f"code {number}", gives=client_id)
    late = NOW + REFRESH_LIFETIME + DAY
    store.purge(now=late)
    clients = store.sessions.end(session().sid, now=late)
    assert sorted(clients or ()) == [("hub", "alice"), ("portal", "alice")]
    assert store.purge(now=late)["grants"] == 2


def test_only_newest_expired_grant_of_client_stays(store: Store) -> None:
    begin(store, expires_at=NOW + 30 * DAY)
    for number in range(5):
        allow(store, f"grant {number}", f"code {number}", created_at=NOW + number)
    assert store.purge(now=NOW + 2 * DAY)["grants"] == 4
    assert list(store.sessions.end(session().sid, now=NOW + 2 * DAY) or ()) == [("hub", "alice")]


def test_ended_session_stays_ended_after_purge(store: Store) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    store.sessions.end(session().sid, now=NOW + 2)
    store.purge(now=NOW + 2 * DAY)
    assert store.sessions.end(session().sid, now=NOW + 2 * DAY) is None
    assert store.sessions.renew(session(), ticket_hash=fingerprint("t")) is False


def test_client_credentials_grant_is_purged_with_token(store: Store) -> None:
    store.grants.begin_with_token(own_grant(), issue("own", own_grant(), now=NOW, refresh=False).records)
    assert not store.purge(now=NOW + ACCESS_LIFETIME)["access_tokens"]
    purged = store.purge(now=NOW + DAY + SKEW)
    assert (purged["access_tokens"], purged["grants"]) == (1, 1)


def test_delivery_given_up_is_purged_after_a_week(store: Store) -> None:
    store.deliveries.queue([(name, "sid", "alice", "https://hub/") for name in ("given up", "waiting")], now=NOW)
    given_up, _ = store.deliveries.lease_due(now=NOW, lease=1, limit=9)
    store.deliveries.mark_failed(given_up.delivery_id, error="x", next_attempt_at=None)
    store.purge(now=NOW + GIVEN_UP_KEPT_SECONDS + SKEW - 1)
    assert len(store.deliveries.list_waiting()) == 2
    store.purge(now=NOW + 10 * GIVEN_UP_KEPT_SECONDS)
    assert [each.client_id for each in store.deliveries.list_waiting()] == ["waiting"]


def test_purge_keeps_keys_clients_and_consents(store: Store, database: str) -> None:
    store.keys.add(key(), after=None)
    store.clients.put(client(), now=NOW)
    store.grants.add_consent("hub", "alice", "openid", now=NOW)
    store.purge(now=NOW + 1000 * DAY)
    counted = rows(database)
    assert (counted["signing_keys"], counted["stored_clients"], counted["consents"]) == (1, 1, 1)


def test_purge_deletes_several_batches(store: Store, database: str) -> None:
    begin(store)
    for number in range(BATCH + 7):
        allow(store, f"grant {number}", f"code {number}", client_id=f"client {number // GRANTS_KEPT}")
    assert dict(store.purge(now=NOW + 3 * DAY)) | {"sessions": 0} == {
        **dict.fromkeys(store.purge(now=NOW), 0),
        "codes": BATCH + 7,
        "grants": BATCH + 7,
    }
    assert not rows(database) - Counter(versions=1)


def test_no_table_grows_in_half_a_year_of_sign_ins(store: Store, database: str) -> None:
    """Two users sign in on most days, at two applications that refresh; sessions end, expire and are renewed."""
    chance = random.Random(20)
    counts: list[Counter[str]] = []
    live: set[str] = set()
    for day in range(180):
        now = NOW + day * DAY
        for user in range(2):
            if chance.random() < 0.7:
                _sign_in(store, f"user {user} on {day}", now, live, chance)
        for token in [token for token in sorted(live) if chance.random() < 0.5]:
            if refresh(store, token, now=now + HOUR):
                live.add(f"refresh after {token}")
            live.remove(token)
        store.purge(now=now + 2 * HOUR)
        if day % 5 == 0:
            counts.append(rows(database))
        live = set(sorted(live, key=len)[:20])
    early, late = counts[8:16], counts[-8:]
    for table in metadata.tables:
        most_early, most_late = (max(each[table] for each in part) for part in (early, late))
        assert most_late <= 1.3 * most_early + 5, f"{table} grew from {most_early} to {most_late}"
    assert max(each.total() for each in counts) < 400
    store.purge(now=NOW + 500 * DAY)
    assert not rows(database) - Counter(versions=1)


def _sign_in(store: Store, name: str, now: int, live: set[str], chance: random.Random) -> None:
    store.pending_logins.save(login(state_hash=fingerprint(name), expires_at=now + 600))
    begin(store, name, created_at=now, expires_at=now + 8 * HOUR)
    for client_id in ("hub", "portal"):
        each = f"{name} at {client_id}"
        offline = chance.random() < 0.3
        allow(
            store, fingerprint(each), each, client_id=client_id, sid=f"sid of {name}", offline=offline, created_at=now
        )
        if chance.random() < 0.9:
            redeem(store, each, gives=fingerprint(each)[:8], now=now + 1)
            live.add(f"refresh {fingerprint(each)[:8]}")
    if chance.random() < 0.3:
        store.sessions.end(f"sid of {name}", now=now + 5)
