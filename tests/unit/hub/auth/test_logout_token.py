"""Verification of logout tokens: each fault once (Back-Channel Logout 1.0 §2.6)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from hub.auth.logout_token import (
    LOGOUT_EVENT,
    MAX_AGE,
    MAX_TOKEN_LENGTH,
    LogoutTokenError,
    key_id,
    select_keys,
    verify_logout_token,
)

ISSUER, CLIENT, NOW = "https://auth.example.org", "jupyterhub", 1_800_000_000
PRIVATE = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = RSAAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True) | {"kid": "one", "use": "sig"}
KEYS = {"keys": [PUBLIC, ECAlgorithm.to_jwk(CURVE.public_key(), as_dict=True) | {"kid": "two", "alg": "ES256"}]}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "unique",
    "events": {LOGOUT_EVENT: {}},
    "sub": "alice",
    "sid": "session",
}
ABSENT = object()


def encode(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def sign(claims: object, header: object = None, *, key: Any = PRIVATE, algorithm: str = "RS256") -> str:
    """Return a token with any header and payload, text included."""
    signed = f"{encode(header or {'alg': algorithm, 'kid': 'one', 'typ': 'logout+jwt'})}.{encode(claims)}"
    signature = jwt.get_algorithm_by_name(algorithm).sign(signed.encode(), key)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def changed(**changes: object) -> dict[str, object]:
    return {name: value for name, value in (CLAIMS | changes).items() if value is not ABSENT}


def verify(token: str) -> Any:
    keys = select_keys(KEYS, key_id(token))
    return verify_logout_token(token, keys, issuer=ISSUER, client_id=CLIENT, now=NOW)


def test_valid_token_is_accepted() -> None:
    token = verify(sign(CLAIMS))
    assert (token.issuer, token.token_id, token.subject, token.sid) == (ISSUER, "unique", "alice", "session")


def test_elliptic_curve_signature_is_accepted() -> None:
    header = {"alg": "ES256", "kid": "two"}
    assert verify(sign(CLAIMS, header, key=CURVE, algorithm="ES256")).sid == "session"


def test_pss_signature_is_accepted_for_a_key_without_alg() -> None:
    header = {"alg": "PS256", "kid": "one"}
    assert verify(sign(CLAIMS, header, algorithm="PS256")).sid == "session"


def test_token_without_kid_is_verified_with_every_key() -> None:
    assert verify(sign(CLAIMS, {"alg": "RS256"})).sid == "session"


@pytest.mark.parametrize(
    "changes",
    [{"sid": ABSENT}, {"sub": ABSENT}, {"aud": ["another", CLIENT]}, {"iat": NOW - MAX_AGE}],
    ids=["subject-only", "sid-only", "several-audiences", "delayed"],
)
def test_permitted_variants_are_accepted(changes: dict[str, object]) -> None:
    verify(sign(changed(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.org"},
        {"iss": ABSENT},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ABSENT},
        {"iat": NOW - MAX_AGE - 1},
        {"iat": NOW + 120},
        {"iat": str(NOW)},
        {"iat": True},
        {"exp": NOW - 120},
        {"exp": ABSENT},
        {"events": ABSENT},
        {"events": [LOGOUT_EVENT]},
        {"events": {"https://example.org/other": {}}},
        {"events": {LOGOUT_EVENT: None}},
        {"nonce": "n"},
        {"nonce": None},
        {"jti": ABSENT},
        {"jti": ""},
        {"sub": ABSENT, "sid": ABSENT},
        {"sid": ""},
        {"sid": 7},
        {"sub": ["alice"]},
    ],
    ids=lambda changes: ",".join(
        f"{name}-{'absent' if value is ABSENT else value!r}" for name, value in changes.items()
    ),
)
def test_faulty_claims_are_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(LogoutTokenError):
        verify(sign(changed(**changes)))


def unsigned() -> str:
    return f"{encode({'alg': 'none', 'kid': 'one'})}.{encode(CLAIMS)}."


def signed_with_public_key() -> str:
    """Return a token whose HMAC secret is the provider's public key in PEM."""
    pem = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encode({'alg': 'HS256', 'kid': 'one'})}.{encode(CLAIMS)}"
    tag = hmac.digest(pem, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


FORGERIES: dict[str, Callable[[], str]] = {
    "alg-none": unsigned,
    "alg-HS256": signed_with_public_key,
    "other-key": lambda: sign(CLAIMS, key=OTHER),
    "unknown-kid": lambda: sign(CLAIMS, {"alg": "RS256", "kid": "three"}),
    "kid-number": lambda: sign(CLAIMS, {"alg": "RS256", "kid": 1}),
    "embedded-key": lambda: sign(
        CLAIMS,
        {"alg": "RS256", "jwk": RSAAlgorithm.to_jwk(OTHER.public_key(), as_dict=True), "kid": "three"},
        key=OTHER,
    ),
    "alg-of-another-key": lambda: sign(CLAIMS, {"alg": "RS256", "kid": "two"}),
    "changed-payload": lambda: ".".join(
        [sign(CLAIMS).split(".")[0], encode(changed(sid="other")), sign(CLAIMS).split(".")[2]]
    ),
    "access-token-type": lambda: sign(CLAIMS, {"alg": "RS256", "kid": "one", "typ": "at+jwt"}),
    "critical-extension": lambda: sign(CLAIMS, {"alg": "RS256", "kid": "one", "crit": ["b64"], "b64": False}),
    "duplicate-claim": lambda: sign(json.dumps(CLAIMS)[:-1] + ', "sid": "other"}'),
    "duplicate-in-events": lambda: sign(json.dumps(CLAIMS).replace("{}", '{"a": 1, "a": 2}')),
    "duplicate-header": lambda: sign(CLAIMS, '{"alg": "none", "kid": "one", "alg": "RS256"}'),
    "payload-array": lambda: sign([CLAIMS]),
    "infinite-time": lambda: sign(json.dumps(CLAIMS).replace(str(NOW + 120), "Infinity")),
    "huge-time": lambda: sign(json.dumps(CLAIMS).replace(str(NOW + 120), "9" * 400)),
    "deep-nesting": lambda: sign("[" * 5000),
    "two-segments": lambda: sign(CLAIMS).rpartition(".")[0],
    "empty": lambda: "",
    "not-ascii": lambda: "é" + sign(CLAIMS),
    "too-long": lambda: sign(changed(filler="x" * MAX_TOKEN_LENGTH)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_token_is_rejected(forge: Callable[[], str]) -> None:
    token = forge()
    with pytest.raises(LogoutTokenError):
        verify(token)


def test_encryption_keys_and_secrets_are_not_selected() -> None:
    other = [PUBLIC | {"use": "enc"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "one"}, "text"]
    assert select_keys({"keys": other}, "one") == []


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}, {"keys": {"kty": "RSA"}}], ids=repr)
def test_malformed_key_document_has_no_keys(document: object) -> None:
    assert select_keys(document, None) == []
