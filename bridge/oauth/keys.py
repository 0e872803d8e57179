"""The signing keys: made once, encrypted at rest, shared through the store, published as a JWKS (RFC 7517)."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import RSAKey

from bridge.errors import ConfigurationError
from bridge.store import SigningKey, Store

ALGORITHM = "RS256"
RSA_BITS = 2048


class KeyRing:
    """The keys of this installation; the newest signs."""

    def __init__(self, keys: list[RSAKey]) -> None:
        self._keys = keys

    def jwks(self) -> dict[str, Any]:
        """The public halves, for `/.well-known/jwks.json`."""
        return {"keys": [key.as_dict(private=False) | {"use": "sig", "alg": ALGORITHM} for key in self._keys]}

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed JWT with `kid`, RS256."""
        key = self._keys[0]
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, claims, key, [ALGORITHM])


def open_key_ring(store: Store, secret_key: str, *, now: int) -> KeyRing:
    """Read the keys, making the first one if there is none; of several workers at once, one makes it.

    :raises ConfigurationError: when the keys were encrypted with another secret key
    """
    box = _box(secret_key)
    if not store.signing_keys():
        store.add_first_signing_key(_new_key(box, now))
    try:
        keys = [_decrypted(box, key) for key in store.signing_keys()]
    except InvalidToken:
        fault = (
            "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one; "
            "set the former value again, or start with an empty database (every application then fetches new keys)"
        )
        raise ConfigurationError([fault]) from None
    return KeyRing(keys)


def _new_key(box: Fernet, now: int) -> SigningKey:
    key = RSAKey.generate_key(RSA_BITS, auto_kid=True)
    private_jwk = json.dumps(key.as_dict(private=True)).encode()
    return SigningKey(
        kid=str(key.kid),
        algorithm=ALGORITHM,
        encrypted_private_jwk=box.encrypt(private_jwk).decode(),
        created_at=now,
    )


def _decrypted(box: Fernet, key: SigningKey) -> RSAKey:
    return RSAKey.import_key(json.loads(box.decrypt(key.encrypted_private_jwk.encode())))


def _box(secret_key: str) -> Fernet:
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=b"passerelle signing keys").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
