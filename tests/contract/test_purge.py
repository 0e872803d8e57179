"""What a purge deletes, what it must not, and that no table grows for ever."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import func, select

from bridge.store import Consumed, SqlStore, Store, fingerprint
from bridge.store.database import open_engine
from bridge.store.purge import BATCH, CLOCKS_APART_SECONDS, GIVEN_UP_KEPT_SECONDS, KEPT_SECONDS
from bridge.store.schema import metadata
from tests.contract.records import (
    ACCESS_LIFETIME,
    CODE_LIFETIME,
    DAY,
    GRACE,
    HOUR,
    NOW,
    REFRESH_LIFETIME,
    allow,
    begin,
    build_token_records,
    client,
    consume,
    key,
    login,
    never,
    own_grant,
    redeem,
    refresh,
    session,
    works,
)

APART = CLOCKS_APART_SECONDS


def rows(database: str) -> Counter[str]:
    """How many there are in each table."""
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


def test_a_purge_of_nothing_names_every_table_it_looked_at(store: Store) -> None:
    assert dict(store.purge(now=NOW)) == dict.fromkeys(
        ("pending_logins", "access_tokens", "refresh_tokens", "codes", "grants", "sessions", "logout_deliveries"), 0
    )


def test_what_is_good_stays(store: Store) -> None:
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
def test_each_thing_stays_a_little_longer_than_it_is_good_for_and_not_more(
    store: Store, table: str, seconds: int
) -> None:
    """The clock of another host may be behind."""
    begin(store)
    allow(store)
    redeem(store)
    store.pending_logins.save(login())
    store.purge(now=NOW + seconds + APART - 1)
    assert store.purge(now=NOW + seconds + APART)[table] == 1


def test_a_replay_of_a_spent_code_is_noticed_a_day_later(store: Store) -> None:
    allow(store)
    redeem(store)
    store.purge(now=NOW + DAY)
    assert store.grants.redeem_code(fingerprint("code"), now=NOW + DAY, mint=never) is False
    assert not refresh(store, "refresh access", now=NOW + DAY)


def test_the_reuse_of_a_replaced_refresh_token_is_noticed_as_long_as_it_would_have_lived_row24(store: Store) -> None:
    allow(store)
    redeem(store)
    token = "refresh access"
    for day in (5, 10):
        store.purge(now=NOW + day * DAY)
        assert refresh(store, token, now=NOW + day * DAY)
        token = f"refresh after {token}"
    late = NOW + 13 * DAY
    store.purge(now=late)
    assert store.grants.rotate_refresh_token(fingerprint("refresh access"), now=late, grace=GRACE, mint=never) is False
    assert not refresh(store, token, now=late), "the family is revoked"


def test_a_session_stays_beyond_its_end_while_something_under_it_lives(store: Store) -> None:
    """CAS may still end it, by its ticket."""
    begin(store)
    allow(store, offline=True)
    redeem(store)
    late = NOW + REFRESH_LIFETIME - HOUR
    store.purge(now=late)
    told: list[str] = []
    ended = store.sessions.end_by_ticket(fingerprint("ticket of session"), now=late, tell=told.append)
    assert list(ended) == [session().sid]
    assert told == ["hub"]


def test_a_session_under_which_nothing_lives_is_gone_with_its_ticket(store: Store) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    store.purge(now=NOW + REFRESH_LIFETIME + DAY)
    assert list(store.sessions.end_by_ticket(fingerprint("ticket of session"), now=NOW + REFRESH_LIFETIME + DAY)) == []


def test_a_grant_without_tokens_stays_while_its_session_lives_so_that_the_client_is_told(store: Store) -> None:
    begin(store, expires_at=NOW + 30 * DAY)
    for number, client_id in enumerate(("hub", "portal")):
        allow(store, client_id, f"code {number}", client_id=client_id)
        redeem(store, f"code {number}", gives=client_id)
    late = NOW + REFRESH_LIFETIME + DAY
    store.purge(now=late)
    told = store.sessions.end(session().sid, now=late)
    assert sorted(told or ()) == [("hub", "alice"), ("portal", "alice")]
    assert store.purge(now=late)["grants"] == 2


def test_of_many_dead_grants_of_one_client_under_a_session_the_last_is_enough(store: Store) -> None:
    begin(store, expires_at=NOW + 30 * DAY)
    for number in range(5):
        allow(store, f"grant {number}", f"code {number}", created_at=NOW + number)
    assert store.purge(now=NOW + 2 * DAY)["grants"] == 4
    assert list(store.sessions.end(session().sid, now=NOW + 2 * DAY) or ()) == [("hub", "alice")]


def test_an_ended_session_is_remembered_as_ended(store: Store) -> None:
    begin(store)
    allow(store, offline=True)
    redeem(store)
    store.sessions.end(session().sid, now=NOW + 2)
    store.purge(now=NOW + 2 * DAY)
    assert store.sessions.end(session().sid, now=NOW + 2 * DAY) is None, "nobody is told twice"
    assert store.sessions.renew(session(), ticket_hash=fingerprint("t")) is False


def test_a_token_of_a_client_of_its_own_is_purged_with_its_grant(store: Store) -> None:
    store.grants.begin_with_token(own_grant(), build_token_records("own", own_grant(), now=NOW, refresh=False))
    assert not store.purge(now=NOW + ACCESS_LIFETIME)["access_tokens"]
    purged = store.purge(now=NOW + DAY + APART)
    assert (purged["access_tokens"], purged["grants"]) == (1, 1)


def test_a_delivery_that_was_given_up_is_shown_for_a_week_and_a_waiting_one_for_ever(store: Store) -> None:
    store.deliveries.queue([(name, "sid", "alice", "https://hub/") for name in ("given up", "waiting")], now=NOW)
    given_up, _ = store.deliveries.take_due(now=NOW, lease=1, limit=9)
    store.deliveries.failed(given_up.delivery_id, error="x", next_attempt_at=None)
    store.purge(now=NOW + GIVEN_UP_KEPT_SECONDS + APART - 1)
    assert len(store.deliveries.waiting()) == 2
    store.purge(now=NOW + 10 * GIVEN_UP_KEPT_SECONDS)
    assert [each.client_id for each in store.deliveries.waiting()] == ["waiting"]


def test_keys_clients_and_consents_are_nobodys_to_purge(store: Store, database: str) -> None:
    store.keys.add(key(), after=None)
    store.clients.put(client(), now=NOW)
    store.grants.remember_consent("hub", "alice", "openid", now=NOW)
    store.purge(now=NOW + 1000 * DAY)
    counted = rows(database)
    assert (counted["signing_keys"], counted["stored_clients"], counted["consents"]) == (1, 1, 1)


def test_more_than_fits_into_one_transaction_is_purged_all_the_same(store: SqlStore, database: str) -> None:
    begin(store)
    for number in range(BATCH + 7):
        allow(store, f"grant {number}", f"code {number}")
    assert dict(store.purge(now=NOW + 3 * DAY)) | {"sessions": 0} == {
        **dict.fromkeys(store.purge(now=NOW), 0),
        "codes": BATCH + 7,
        "grants": BATCH + 7,
    }
    assert not rows(database) - Counter(versions=1)


def test_in_a_year_of_sign_ins_no_table_grows_beyond_what_is_alive(store: SqlStore, database: str) -> None:
    """Four users sign in on most days, at two applications that refresh; sessions end, expire and are renewed."""
    chance = random.Random(20)
    counts: list[Counter[str]] = []
    live: set[str] = set()
    for day in range(365):
        now = NOW + day * DAY
        for user in range(4):
            if chance.random() < 0.7:
                _sign_in(store, f"user {user} on {day}", now, live, chance)
        for token in [token for token in sorted(live) if chance.random() < 0.5]:
            if refresh(store, token, now=now + HOUR):
                live.add(f"refresh after {token}")
            live.remove(token)
        store.purge(now=now + 2 * HOUR)
        if day % 5 == 0:
            counts.append(rows(database))
        live = set(sorted(live, key=len)[:40])  # most applications forget sooner or later
    early, late = counts[12:24], counts[-12:]
    for table in metadata.tables:
        most_early, most_late = (max(each[table] for each in part) for part in (early, late))
        assert most_late <= 1.3 * most_early + 5, f"{table} grew from {most_early} to {most_late}"
    assert max(each.total() for each in counts) < 800
    store.purge(now=NOW + 500 * DAY)
    assert not rows(database) - Counter(versions=1)


def _sign_in(store: SqlStore, name: str, now: int, live: set[str], chance: random.Random) -> None:
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
