"""Key rotation: which key signs, which are published and when keys are deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from bridge.oauth.keys import PUBLISH_AHEAD_SECONDS, REREAD_SECONDS, RETIRED_KEPT_SECONDS, KeyRing, key_states
from bridge.store import SigningKey, Store
from tests.support.clock import Clock

NOW = 1_800_000_000
DAY, HOUR = 24 * 3600, 3600
MAX_AGE = 90 * DAY
SECRET_KEY = "a secret key of 32 characters..."


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def store(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'bridge.sqlite3')}")
    yield store
    store.close()


@pytest.fixture
def ring(store: Store, clock: Clock) -> KeyRing:
    return KeyRing(store, SECRET_KEY, clock)


def record(kid: str, active_from: int) -> SigningKey:
    return SigningKey(kid=kid, algorithm="ES256", encrypted_private_jwk="", created_at=NOW, active_from=active_from)


def signer(ring: KeyRing) -> str:
    return str(
        jwt.decode(ring.sign({}, algorithm="ES256"), KeySet.import_key_set(ring.jwks()), ["ES256"]).header["kid"]
    )


def published(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in ring.jwks()["keys"] if key["alg"] == "ES256"]


def states(ring: KeyRing) -> dict[str, str]:
    return {key.kid: key.state for key in ring.states() if key.algorithm == "ES256"}


@pytest.mark.parametrize(
    ("active_from", "expected"),
    [
        ([0], ["signing"]),
        ([100], ["signing"]),
        ([0, 100], ["signing", "next"]),
        ([0, 50], ["retired", "signing"]),
        ([0, 60, 70], ["signing", "next", "next"]),
        ([0, 100, 50], ["retired", "retired", "signing"]),
        ([-9, -8, -7], ["retired", "retired", "signing"]),
    ],
)
def test_newest_active_key_signs(active_from: list[int], expected: list[str]) -> None:
    records = [record(f"{number}", NOW + seconds) for number, seconds in enumerate(active_from)]
    found = key_states(records[::-1], now=NOW + 50)
    assert {key.kid: key.state for key in found} == {f"{n}": state for n, state in enumerate(expected)}


def test_retired_key_reports_start_of_successor() -> None:
    records = [record("at once", NOW + 50), record("waiting", NOW + 100), record("first", NOW)]
    assert {key.kid: key.since for key in key_states(records, now=NOW + 200)} == {
        "at once": NOW + 50,
        "waiting": NOW + 50,
        "first": NOW + 50,
    }


def test_new_key_is_published_before_it_signs_row64(ring: KeyRing, store: Store, clock: Clock) -> None:
    other_worker = KeyRing(store, SECRET_KEY, clock)
    (first,) = published(ring)
    successor = ring.rotate("ES256")
    assert published(ring) == [successor, first]
    assert states(ring) == {successor: "next", first: "signing"}
    clock.now += REREAD_SECONDS
    assert published(other_worker) == [successor, first], "every worker publishes it within half a minute"
    clock.now = NOW + PUBLISH_AHEAD_SECONDS - 1
    assert PUBLISH_AHEAD_SECONDS - REREAD_SECONDS >= 2 * HOUR
    assert signer(ring) == signer(other_worker) == first
    clock.now += 1
    assert signer(ring) == signer(other_worker) == successor
    assert published(ring) == [successor, first], "tokens of the first key still verify"


def test_key_can_sign_at_once_while_another_waits(ring: KeyRing, clock: Clock) -> None:
    (first,) = published(ring)
    waiting, leaked = ring.rotate("ES256"), first
    replacement = ring.rotate("ES256", at_once=True)
    assert signer(ring) == replacement
    clock.now += DAY
    assert signer(ring) == replacement, "the waiting key never signs"
    assert states(ring) == {replacement: "signing", waiting: "retired", leaked: "retired"}
    assert ring.rotate("ES256") is not None


def test_removed_key_is_not_published_or_accepted(ring: KeyRing) -> None:
    (first,) = published(ring)
    hint = ring.sign({"sub": "alice"}, algorithm="ES256")
    ring.rotate("ES256", at_once=True)
    assert ring.claims_of(hint) == {"sub": "alice"}
    ring.remove(first)
    assert first not in published(ring)
    assert ring.claims_of(hint) is None


def test_keys_are_rotated_before_maximum_age(ring: KeyRing, clock: Clock) -> None:
    (first,) = published(ring)
    clock.now = NOW + MAX_AGE - PUBLISH_AHEAD_SECONDS - 1
    assert ring.rotate_by_age(MAX_AGE) == []
    clock.now += 1
    added = ring.rotate_by_age(MAX_AGE)
    assert len(added) == 2, "one of each algorithm"
    assert ring.rotate_by_age(MAX_AGE) == []
    clock.now = NOW + MAX_AGE - 1
    assert signer(ring) == first
    clock.now = NOW + MAX_AGE
    assert signer(ring) in added


def test_concurrent_workers_rotate_by_age_once(ring: KeyRing, store: Store, clock: Clock) -> None:
    rings = [KeyRing(store, SECRET_KEY, clock) for _ in range(8)]
    clock.now = NOW + MAX_AGE
    with ThreadPoolExecutor(8) as pool:
        added = [kid for kids in pool.map(lambda each: each.rotate_by_age(MAX_AGE), rings) for kid in kids]
    assert len(added) == 2
    assert len(store.keys.all()) == 4


def test_worker_does_not_rotate_after_another(ring: KeyRing, store: Store, clock: Clock) -> None:

    class SlowKeys:
        """Keys between whose reading and adding another worker rotates."""

        def __init__(self) -> None:
            self.faster: Callable[[], object] | None = lambda: ring.rotate_by_age(MAX_AGE)

        def all(self) -> object:
            return store.keys.all()

        def add(self, key: SigningKey, *, after: str | None) -> bool:
            if self.faster is not None:
                faster, self.faster = self.faster, None
                faster()
            return store.keys.add(key, after=after)

        def remove(self, kid: str) -> None:
            store.keys.remove(kid)

    class SlowStore:
        keys = SlowKeys()

    clock.now = NOW + MAX_AGE
    slow = KeyRing(SlowStore(), SECRET_KEY, clock)  # type: ignore[arg-type]
    assert slow.rotate_by_age(MAX_AGE) == []
    assert len(store.keys.all()) == 4


def test_retired_key_is_deleted_after_a_month(ring: KeyRing, clock: Clock) -> None:
    (first,) = published(ring)
    ring.rotate("ES256")
    retired_at = NOW + PUBLISH_AHEAD_SECONDS
    clock.now = retired_at + RETIRED_KEPT_SECONDS - 1
    ring.rotate_by_age(MAX_AGE)
    assert first in published(ring)
    clock.now += 1
    ring.rotate_by_age(MAX_AGE)
    assert first not in published(ring)
    assert len(published(ring)) == 1


def test_three_years_of_rotation_keep_three_keys_at_most(ring: KeyRing, clock: Clock) -> None:
    most, signers = 0, set()
    while clock.now < NOW + 3 * 365 * DAY:
        clock.now += 10 * DAY
        ring.rotate_by_age(MAX_AGE)
        most = max(most, len(published(ring)))
        signers.add(signer(ring))
    assert most <= 3
    assert len(signers) in (12, 13)


def test_first_key_signs_before_its_start_time(ring: KeyRing, store: Store, clock: Clock) -> None:
    clock.now = NOW - HOUR
    assert signer(KeyRing(store, SECRET_KEY, clock)) == published(ring)[0]


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "a.b.c", "é.é.é", "x" * 100_000, "e30.e30.", "e30.e30.e30", "W10.W10.W10", "bnVsbA.bnVsbA.x"),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6MX0.e30.AA",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6WyJhIl19.e30.AA",
        "eyJhbGciOlsiRVMyNTYiXX0.e30.AA",
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d",
    ],
)
def test_malformed_token_has_no_claims(ring: KeyRing, token: str) -> None:
    assert ring.claims_of(token) is None


def test_forged_token_has_no_claims_row62(ring: KeyRing) -> None:
    (public,) = [key for key in ring.jwks()["keys"] if key["alg"] == "ES256"]
    foreign_key = ECKey.generate_key("P-256")
    for header in ({"kid": public["kid"]}, {}, {"jwk": foreign_key.as_dict(private=False)}):
        forged = jwt.encode({"alg": "ES256", **header}, {"sub": "mallory"}, foreign_key, ["ES256"])
        assert ring.claims_of(forged) is None
    shared = OctKey.import_key(public["x"].encode())
    forged = jwt.encode({"alg": "HS256", "kid": public["kid"]}, {"sub": "mallory"}, shared, ["HS256"])
    assert ring.claims_of(forged) is None
