"""Signing keys: created once, encrypted at rest, shared through the store, published before use (RFC 7517)."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from bridge.errors import ConfigurationError
from bridge.store import SigningKey, Store

log = structlog.get_logger()

ALGORITHMS = ("RS256", "ES256")
RSA_BITS = 2048
REREAD_SECONDS = 30
# A client may cache the JWKS for an hour and a proxy for another; a worker may not have reread the store yet.
PUBLISH_AHEAD_SECONDS = 2 * 3600 + REREAD_SECONDS
# Clients send ID tokens as hints long after they expired.
RETIRED_KEPT_SECONDS = 30 * 24 * 3600

Jwk = RSAKey | ECKey
State = Literal["next", "signing", "retired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """The role of a key at a given time."""

    kid: str
    algorithm: str
    state: State
    since: int
    """When the key starts to sign; for a retired key, when its successor started."""


def key_states(records: Sequence[SigningKey], *, now: int) -> list[KeyState]:
    """Return the state of every key: for each algorithm, the newest active one signs.

    The records must have the newest key of each algorithm first.
    """
    states = []
    for algorithm in dict.fromkeys(record.algorithm for record in records):
        of_algorithm = [record for record in records if record.algorithm == algorithm]
        signing = next((record for record in of_algorithm if record.active_from <= now), of_algorithm[-1])
        place = of_algorithm.index(signing)
        for number, record in enumerate(of_algorithm):
            state: State = "next" if number < place else "signing" if number == place else "retired"
            taken_over = min((newer.active_from for newer in of_algorithm[:number]), default=record.active_from)
            since = taken_over if state == "retired" else record.active_from
            states.append(KeyState(kid=record.kid, algorithm=algorithm, state=state, since=since))
    return states


@dataclass(frozen=True, slots=True)
class _Key:
    record: SigningKey
    jwk: Jwk


class KeyRing:
    """The keys of this installation, reread from the store every 30 seconds."""

    def __init__(self, store: Store, secret_key: str, clock: Callable[[], float]) -> None:
        """Read the keys; create one for each algorithm that has none. The secret key encrypts the private keys.

        Raises:
            ConfigurationError: The keys in the store were encrypted with another secret key.
        """
        self._store = store
        self._cipher = _cipher(secret_key)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Sequence[_Key] = ()
        self._read_at = float("-inf")
        for algorithm in ALGORITHMS:
            if not any(key.algorithm == algorithm for key in store.keys.all()):
                store.keys.add(self._new_key(algorithm, active_from=int(clock())), after=None)
        self._current()

    def jwks(self) -> dict[str, Any]:
        """Return the public keys for `/.well-known/jwks.json`."""
        return {
            "keys": [
                key.jwk.as_dict(private=False) | {"use": "sig", "alg": key.record.algorithm} for key in self._current()
            ]
        }

    def sign(self, claims: dict[str, Any], *, algorithm: str, typ: str = "JWT") -> str:
        """Return a JWT with `kid`, signed by the algorithm's newest active key."""
        key = self._signing_key(algorithm)
        return jwt.encode({"alg": algorithm, "kid": key.record.kid, "typ": typ}, claims, key.jwk, [algorithm])

    def claims_of(self, unverified_token: str) -> dict[str, Any] | None:
        """Return the claims of a JWT signed by one of the keys, expired or not; None for any other token."""
        try:
            keys = KeySet([key.jwk for key in self._current()])
            return dict(jwt.decode(unverified_token, keys, list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):  # TypeError: joserfc, if `crit` is not a list
            return None

    def states(self) -> list[KeyState]:
        """Return the current state of each key."""
        return key_states([key.record for key in self._reread()], now=int(self._clock()))

    def rotate(self, algorithm: str, *, at_once: bool = False) -> str | None:
        """Add a key that starts to sign in two hours.

        Args:
            algorithm: `RS256` or `ES256`.
            at_once: Sign with it from now on. Clients with a cached JWKS cannot verify until they fetch it again.

        Returns:
            The new kid, or None if another worker added a key at the same time.
        """
        newest = next(key.record for key in self._reread() if key.record.algorithm == algorithm)
        return self._add(algorithm, after=newest, ahead=0 if at_once else PUBLISH_AHEAD_SECONDS)

    def rotate_by_age(self, max_age: int) -> list[str]:
        """Rotate keys older than `max_age` seconds and delete keys retired long ago; return the kids of new keys."""
        now, added = int(self._clock()), []
        records = [key.record for key in self._reread()]
        for algorithm in ALGORITHMS:
            newest = next(record for record in records if record.algorithm == algorithm)
            if newest.active_from + max_age <= now + PUBLISH_AHEAD_SECONDS:
                added.append(self._add(algorithm, after=newest, ahead=PUBLISH_AHEAD_SECONDS))
        for key in key_states(records, now=now):
            if key.state == "retired" and key.since + RETIRED_KEPT_SECONDS <= now:
                self.remove(key.kid)
        return [kid for kid in added if kid is not None]

    def remove(self, kid: str) -> None:
        """Delete a key that does not sign; tokens that it signed become invalid."""
        self._store.keys.remove(kid)
        self._reread()

    def _signing_key(self, algorithm: str) -> _Key:
        now = self._clock()
        keys = [key for key in self._current() if key.record.algorithm == algorithm]
        return next((key for key in keys if key.record.active_from <= now), None) or next(reversed(keys))

    def _add(self, algorithm: str, *, after: SigningKey, ahead: int) -> str | None:
        successor = self._new_key(algorithm, active_from=int(self._clock()) + ahead)
        added = self._store.keys.add(successor, after=after.kid)
        self._reread()
        return successor.kid if added else None

    def _current(self) -> Sequence[_Key]:
        return self._keys if 0 <= self._clock() - self._read_at < REREAD_SECONDS else self._reread()

    def _reread(self) -> Sequence[_Key]:
        with self._lock:
            known = {key.record.kid: key for key in self._keys}
            self._keys = [
                known.get(record.kid) or _Key(record, _decrypted(record, self._cipher))
                for record in self._store.keys.all()
            ]
            self._read_at = self._clock()
        kids = {key.record.kid for key in self._keys}
        if known and kids != known.keys():
            log.info("signing_keys_changed", added=sorted(kids - known.keys()), removed=sorted(known.keys() - kids))
        return self._keys

    def _new_key(self, algorithm: str, *, active_from: int) -> SigningKey:
        jwk: Jwk
        if algorithm == "RS256":
            jwk = RSAKey.generate_key(RSA_BITS, auto_kid=True)
        else:
            jwk = ECKey.generate_key("P-256", auto_kid=True)
        private_jwk = json.dumps(jwk.as_dict(private=True)).encode()
        return SigningKey(
            kid=str(jwk.kid),
            algorithm=algorithm,
            encrypted_private_jwk=self._cipher.encrypt(private_jwk).decode(),
            created_at=int(self._clock()),
            active_from=active_from,
        )


def check_secret_key(records: Iterable[SigningKey], secret_key: str) -> None:
    """Check that this secret key decrypts the stored signing keys, without changing any.

    Raises:
        ConfigurationError: They were encrypted with another one.
    """
    cipher = _cipher(secret_key)
    for record in records:
        _decrypted(record, cipher)


def _decrypted(record: SigningKey, cipher: Fernet) -> Jwk:
    try:
        private_jwk = json.loads(cipher.decrypt(record.encrypted_private_jwk.encode()))
    except InvalidToken:
        fault = (
            "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one; set the "
            "former value again, or start with an empty database (every application then fetches new keys)"
        )
        raise ConfigurationError([fault]) from None
    return RSAKey.import_key(private_jwk) if record.algorithm == "RS256" else ECKey.import_key(private_jwk)


def derived_key(secret_key: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose; keys for other purposes cannot be computed from it."""
    info = f"passerelle {purpose}".encode()
    return HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret_key.encode())


def _cipher(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(secret_key, "signing keys")))
