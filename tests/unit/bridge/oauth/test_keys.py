"""Signing keys: encrypted at rest, created once, public keys published."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bridge.errors import ConfigurationError
from bridge.oauth.keys import ALGORITHMS, KeyRing
from bridge.store import Store

SECRET_KEY = "a secret key of 32 characters..."


def key_ring(store: Store, *, now: int, secret_key: str = SECRET_KEY) -> KeyRing:
    return KeyRing(store, secret_key, lambda: now)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all tests, because creating keys takes time."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('keys')}/bridge.sqlite3")
    key_ring(store, now=1_800_000_000)
    yield store
    store.close()


def test_key_is_created_once_row65(store: Store) -> None:
    before = store.keys.all()
    rings = [key_ring(store, now=1_900_000_000) for _ in range(2)]
    assert rings[0].jwks() == rings[1].jwks()
    assert store.keys.all() == before
    assert [key.algorithm for key in before] == list(ALGORITHMS)


def test_private_key_is_encrypted_in_store(store: Store) -> None:
    for key in store.keys.all():
        assert re.fullmatch(r"[A-Za-z0-9_=-]+", key.encrypted_private_jwk)
        assert b'"kty"' not in base64.urlsafe_b64decode(key.encrypted_private_jwk)


def test_wrong_secret_key_is_reported_with_remedy(store: Store) -> None:
    with pytest.raises(ConfigurationError) as raised:
        key_ring(store, secret_key="another secret key, long enough", now=0)
    (fault,) = raised.value.faults
    assert fault.startswith("PASSERELLE_SECRET_KEY: ")
    assert "set the former value again" in fault


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signatures_verify_with_jwks_row62_row63(store: Store, algorithm: str) -> None:
    ring = key_ring(store, now=1_800_000_000)
    signed = ring.sign({"sub": "zoë"}, algorithm=algorithm)
    token = jwt.decode(signed, KeySet.import_key_set(ring.jwks()), algorithms=[algorithm])
    (key,) = [key for key in ring.jwks()["keys"] if key["alg"] == algorithm]
    assert token.claims == {"sub": "zoë"}
    assert token.header == {"alg": algorithm, "kid": key["kid"], "typ": "JWT"}
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)


def test_other_algorithms_are_rejected_row62(store: Store) -> None:
    ring = key_ring(store, now=1_800_000_000)
    for algorithm in ("none", "HS256", ""):
        with pytest.raises((JoseError, StopIteration)):
            ring.sign({}, algorithm=algorithm)
