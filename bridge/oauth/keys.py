"""The signing keys: made once, encrypted at rest, shared through the store, published before use (RFC 7517)."""

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
# Whoever fetched the JWKS just before a new key was added has it again before the key signs: it may be cached for an
# hour, by a proxy once more, and come from a worker that has not read the store again yet.
PUBLISHED_AHEAD_SECONDS = 2 * 3600 + REREAD_SECONDS
# ID tokens come back as hints long after they expired.
RETIRED_KEPT_SECONDS = 30 * 24 * 3600

Jwk = RSAKey | ECKey
State = Literal["next", "signing", "retired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What a key does at a moment."""

    kid: str
    algorithm: str
    state: State
    since: int
    """When it began, or for the next key will begin, to sign; for a retired one, when another took over."""


def key_states(records: Sequence[SigningKey], *, now: int) -> list[KeyState]:
    """The state of every key: of each algorithm, the last added that is not too new signs.

    :param records: of each algorithm the last added first
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
    """The keys of this installation, read again from the store every half minute.

    :param clock: Unix seconds
    :raises ConfigurationError: when the keys in the store were encrypted with another secret key
    """

    def __init__(self, store: Store, secret_key: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._box = _box(secret_key)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Sequence[_Key] = ()
        self._read_at = float("-inf")
        for algorithm in ALGORITHMS:
            if not any(key.algorithm == algorithm for key in store.keys.all()):
                store.keys.add(self._new(algorithm, active_from=int(clock())), after=None)
        self._current()

    def jwks(self) -> dict[str, Any]:
        """The public halves, for `/.well-known/jwks.json`."""
        return {
            "keys": [
                key.jwk.as_dict(private=False) | {"use": "sig", "alg": key.record.algorithm} for key in self._current()
            ]
        }

    def sign(self, claims: dict[str, Any], *, algorithm: str, typ: str = "JWT") -> str:
        """A JWT with `kid`, signed by the last added key of this algorithm that is not too new."""
        key = self._signing(algorithm)
        return jwt.encode({"alg": algorithm, "kid": key.record.kid, "typ": typ}, claims, key.jwk, [algorithm])

    def claims_of(self, unverified_token: str) -> dict[str, Any] | None:
        """The claims of a JWT that one of our keys signed, expired or not; None for anything else."""
        try:
            keys = KeySet([key.jwk for key in self._current()])
            return dict(jwt.decode(unverified_token, keys, list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):  # TypeError: joserfc, of a `crit` that is no list
            return None

    def states(self) -> list[KeyState]:
        """What each key does now."""
        return key_states([key.record for key in self._fresh()], now=int(self._clock()))

    def rotate(self, algorithm: str, *, at_once: bool = False) -> str | None:
        """Add the key that takes over in two hours; its kid, or None when another worker just did.

        :param at_once: sign with it from now on; whoever holds an older JWKS cannot verify that until it asks again
        """
        newest = next(key.record for key in self._fresh() if key.record.algorithm == algorithm)
        return self._add(algorithm, after=newest, ahead=0 if at_once else PUBLISHED_AHEAD_SECONDS)

    def rotate_by_age(self, max_age: int) -> list[str]:
        """Rotate what is older than `max_age` seconds, forget what is long retired; the kids of new keys."""
        now, added = int(self._clock()), []
        records = [key.record for key in self._fresh()]
        for algorithm in ALGORITHMS:
            newest = next(record for record in records if record.algorithm == algorithm)
            if newest.active_from + max_age <= now + PUBLISHED_AHEAD_SECONDS:
                added.append(self._add(algorithm, after=newest, ahead=PUBLISHED_AHEAD_SECONDS))
        for key in key_states(records, now=now):
            if key.state == "retired" and key.since + RETIRED_KEPT_SECONDS <= now:
                self.remove(key.kid)
        return [kid for kid in added if kid is not None]

    def remove(self, kid: str) -> None:
        """Forget a key: what it signed is a stranger's from now on. Not for the one that signs."""
        self._store.keys.remove(kid)
        self._fresh()

    def _signing(self, algorithm: str) -> _Key:
        now = self._clock()
        keys = [key for key in self._current() if key.record.algorithm == algorithm]
        return next((key for key in keys if key.record.active_from <= now), None) or next(reversed(keys))

    def _add(self, algorithm: str, *, after: SigningKey, ahead: int) -> str | None:
        successor = self._new(algorithm, active_from=int(self._clock()) + ahead)
        added = self._store.keys.add(successor, after=after.kid)
        self._fresh()
        return successor.kid if added else None

    def _current(self) -> Sequence[_Key]:
        return self._keys if 0 <= self._clock() - self._read_at < REREAD_SECONDS else self._fresh()

    def _fresh(self) -> Sequence[_Key]:
        with self._lock:
            known = {key.record.kid: key for key in self._keys}
            first = not self._keys
            self._keys = [
                known.get(record.kid) or _Key(record, _decrypted(record, self._box))
                for record in self._store.keys.all()
            ]
            self._read_at = self._clock()
        kids = {key.record.kid for key in self._keys}
        if not first and kids != known.keys():
            log.info("signing_keys_changed", added=sorted(kids - known.keys()), removed=sorted(known.keys() - kids))
        return self._keys

    def _new(self, algorithm: str, *, active_from: int) -> SigningKey:
        jwk: Jwk = (
            RSAKey.generate_key(RSA_BITS, auto_kid=True)
            if algorithm == "RS256"
            else ECKey.generate_key("P-256", auto_kid=True)
        )
        private_jwk = json.dumps(jwk.as_dict(private=True)).encode()
        return SigningKey(
            kid=str(jwk.kid),
            algorithm=algorithm,
            encrypted_private_jwk=self._box.encrypt(private_jwk).decode(),
            created_at=int(self._clock()),
            active_from=active_from,
        )


def check_secret_key(records: Iterable[SigningKey], secret_key: str) -> None:
    """Whether this secret key opens the stored signing keys, found out without making or changing any.

    :raises ConfigurationError: when they were encrypted with another one, as `KeyRing` says it
    """
    box = _box(secret_key)
    for record in records:
        _decrypted(record, box)


def _decrypted(record: SigningKey, box: Fernet) -> Jwk:
    try:
        private_jwk = json.loads(box.decrypt(record.encrypted_private_jwk.encode()))
    except InvalidToken:
        fault = (
            "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one; set the "
            "former value again, or start with an empty database (every application then fetches new keys)"
        )
        raise ConfigurationError([fault]) from None
    return RSAKey.import_key(private_jwk) if record.algorithm == "RS256" else ECKey.import_key(private_jwk)


def derived_key(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose: what knows one of them knows nothing of the others."""
    info = f"passerelle {purpose}".encode()
    return HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret_key.encode())


def _box(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(secret_key, "signing keys")))
