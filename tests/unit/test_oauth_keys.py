"""Signing keys: encrypted at rest, made once, public halves published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.errors import ConfigurationError
from bridge.oauth.keys import open_key_ring
from bridge.store import SqlStore

SECRET_KEY = "a secret key of 32 characters..."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One for all: a key takes a moment to make."""
    store = SqlStore(f"sqlite:///{tmp_path_factory.mktemp('keys')}/bridge.sqlite3")
    open_key_ring(store, SECRET_KEY, now=1_800_000_000)
    yield store
    store.close()


def test_a_key_is_made_once_and_found_again_row65(store: SqlStore) -> None:
    before = store.signing_keys()
    rings = [open_key_ring(store, SECRET_KEY, now=1_900_000_000) for _ in range(2)]
    assert rings[0].jwks() == rings[1].jwks()
    assert store.signing_keys() == before
    assert len(before) == 1


def test_the_private_key_is_unreadable_in_the_store(store: SqlStore) -> None:
    (key,) = store.signing_keys()
    for member in ("kty", "RSA", '"d"', "BEGIN"):
        assert member not in key.encrypted_private_jwk


def test_another_secret_key_is_told_with_the_remedy(store: SqlStore) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_key_ring(store, "another secret key, long enough", now=0)
    (fault,) = raised.value.faults
    assert fault.startswith("PASSERELLE_SECRET_KEY: ")
    assert "set the former value again" in fault


def test_signatures_verify_with_the_published_keys_alone_row62_row63(store: SqlStore) -> None:
    ring = open_key_ring(store, SECRET_KEY, now=0)
    token = jwt.decode(ring.sign({"sub": "zoë"}), KeySet.import_key_set(ring.jwks()), algorithms=["RS256"])
    assert token.claims == {"sub": "zoë"}
    assert token.header["kid"] == ring.jwks()["keys"][0]["kid"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(ring.jwks()["keys"][0])
