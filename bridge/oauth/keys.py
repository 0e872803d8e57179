"""Signing keys: created once, encrypted at rest, shared through the store, published before use (RFC 7517)."""

import base64
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.util import base64_to_int

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
    """Start of signing; for a retired key, the start of its successor."""


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


class KeyRing:
    """The keys of this installation, reread from the store every 30 seconds."""

    def __init__(self, store: Store, secret_key: str, clock: Callable[[], float]) -> None:
        """Read the keys, which the secret key encrypts; create one for each algorithm that has none."""
        self._store = store
        self._cipher = _cipher(secret_key)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[SigningKey, Jwk] = {}
        self._read_at = float("-inf")
        for algorithm in ALGORITHMS:
            if not any(key.algorithm == algorithm for key in store.keys.all()):
                store.keys.add(self._new_key(algorithm, active_from=int(clock())), after=None)
        self._current()

    def jwks(self) -> dict[str, Any]:
        """Return the public keys for `/.well-known/jwks.json`."""
        keys = self._current().items()
        return {"keys": [jwk.as_dict(private=False) | {"use": "sig", "alg": key.algorithm} for key, jwk in keys]}

    def sign(self, claims: dict[str, Any], *, algorithm: str, typ: str = "JWT") -> str:
        """Return a JWT with `kid`, signed by the algorithm's newest active key."""
        now, keys = self._clock(), self._current()
        candidates = [key for key in keys if key.algorithm == algorithm]
        signing = next((key for key in candidates if key.active_from <= now), None) or next(reversed(candidates))
        return jwt.encode({"alg": algorithm, "kid": signing.kid, "typ": typ}, claims, keys[signing], [algorithm])

    def claims_of(self, unverified_token: str) -> dict[str, Any] | None:
        """Return the claims of a JWT signed by one of the keys, expired or not; None for any other token."""
        try:
            keys = KeySet(list(self._current().values()))
            return dict(jwt.decode(unverified_token, keys, list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):  # TypeError: joserfc, if `crit` is not a list
            return None

    def states(self) -> list[KeyState]:
        """Return the current state of each key."""
        return key_states(list(self._reread()), now=int(self._clock()))

    def rotate(self, algorithm: str, *, at_once: bool = False) -> str | None:
        """Add a key that starts to sign in two hours; return its kid, or None if another worker added one concurrently.

        With `at_once` it signs from now on. Clients with a cached JWKS cannot verify until they fetch it again.
        """
        newest = next(key for key in self._reread() if key.algorithm == algorithm)
        return self._add(algorithm, after=newest, ahead=0 if at_once else PUBLISH_AHEAD_SECONDS)

    def rotate_by_age(self, max_age: int) -> list[str]:
        """Rotate keys older than `max_age` seconds and delete keys retired long ago; return the kids of new keys."""
        now, added = int(self._clock()), []
        records = list(self._reread())
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

    def _add(self, algorithm: str, *, after: SigningKey, ahead: int) -> str | None:
        successor = self._new_key(algorithm, active_from=int(self._clock()) + ahead)
        added = self._store.keys.add(successor, after=after.kid)
        self._reread()
        return successor.kid if added else None

    def _current(self) -> dict[SigningKey, Jwk]:
        return self._keys if 0 <= self._clock() - self._read_at < REREAD_SECONDS else self._reread()

    def _reread(self) -> dict[SigningKey, Jwk]:
        with self._lock:
            known = self._keys
            records = self._store.keys.all()
            keys = {record: known.get(record) or _import_key(record, self._cipher) for record in records}
            self._keys, self._read_at = keys, self._clock()
        before, after = ({key.kid for key in each} for each in (known, keys))
        if known and after != before:
            log.info("signing_keys_changed", added=sorted(after - before), removed=sorted(before - after))
        return keys

    def _new_key(self, algorithm: str, *, active_from: int) -> SigningKey:
        rsa = algorithm == "RS256"
        jwk: Jwk = RSAKey.generate_key(RSA_BITS, auto_kid=True) if rsa else ECKey.generate_key("P-256", auto_kid=True)
        private_jwk = json.dumps(jwk.as_dict(private=True)).encode()
        return SigningKey(
            kid=str(jwk.kid),
            algorithm=algorithm,
            encrypted_private_jwk=self._cipher.encrypt(private_jwk).decode(),
            created_at=int(self._clock()),
            active_from=active_from,
        )


def check_secret_key(records: Iterable[SigningKey], secret_key: str) -> None:
    """Raise ConfigurationError unless this secret key decrypts the stored signing keys; change none."""
    cipher = _cipher(secret_key)
    for record in records:
        _decrypt(record, cipher)


def _import_key(record: SigningKey, cipher: Fernet) -> Jwk:
    private_jwk = _decrypt(record, cipher)
    if record.algorithm != "RS256":
        return ECKey.import_key(private_jwk)
    values = {name: base64_to_int(private_jwk[name]) for name in ("p", "q", "d", "dp", "dq", "qi", "e", "n")}
    numbers = RSAPrivateNumbers(
        p=values["p"],
        q=values["q"],
        d=values["d"],
        dmp1=values["dp"],
        dmq1=values["dq"],
        iqmp=values["qi"],
        public_numbers=RSAPublicNumbers(values["e"], values["n"]),
    )
    # The test of the primes takes 0.1 s at each start. The encryption is authenticated, so this bridge wrote the key.
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return RSAKey.import_key(key, {"kid": private_jwk["kid"]})


def _decrypt(record: SigningKey, cipher: Fernet) -> dict[str, Any]:
    try:
        return dict(json.loads(cipher.decrypt(record.encrypted_private_jwk.encode())))
    except InvalidToken:
        fault = (
            "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one; set the "
            "former value again, or start with an empty database (every application then fetches new keys)"
        )
        raise ConfigurationError([fault]) from None


def derived_key(secret_key: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose; keys for other purposes cannot be computed from it."""
    info = f"passerelle {purpose}".encode()
    return HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret_key.encode())


def _cipher(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(secret_key, "signing keys")))
