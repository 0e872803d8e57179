"""Verification of logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6)."""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_TYPES = (None, "JWT", "logout+jwt")
"""Accepted values of the header `typ`; providers of before 2022 do not send `logout+jwt`."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Accepted signatures, all asymmetric: with HS256, the public key of the provider would be the secret."""
KEY_TYPES = ("RSA", "EC", "OKP")
MAX_TOKEN_LENGTH = 16 * 1024  # characters
MAX_ID_LENGTH = 1024  # characters of jti, sub and sid
MAX_AGE = 300
"""Longest time in seconds since `iat`."""
CLOCK_SKEW = 60  # seconds
MAX_TIME = 1e12  # Unix seconds; larger numbers are no times


class LogoutTokenError(ValueError):
    """A logout token that must be rejected; the message names the fault and no value."""


@dataclass(frozen=True)
class LogoutToken:
    """The claims of a verified logout token. At least one of `subject` and `sid` is set."""

    issuer: str
    token_id: str
    subject: str | None
    sid: str | None


def key_id(token: str) -> str | None:
    """Return the `kid` of an unverified token.

    Raises:
        LogoutTokenError: The token is not a signed JWT, or its algorithm or type is not accepted.
    """
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise LogoutTokenError("the token is too long or not ASCII")
    header = _parse_object(_decode(token.partition(".")[0]), "header")
    if header.get("alg") not in ALGORITHMS:
        raise LogoutTokenError("the signature algorithm is not accepted")
    if header.get("typ") not in TOKEN_TYPES:
        raise LogoutTokenError("the type is not logout+jwt")
    if "crit" in header:
        raise LogoutTokenError("the header has critical extensions")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise LogoutTokenError("kid is not a string")
    return kid


def verify_logout_token(
    token: str, keys: Iterable[dict[str, Any]], *, issuer: str, client_id: str, now: float
) -> LogoutToken:
    """Verify the signature with one of the keys (JWK), then every claim.

    Args:
        token: The compact serialization.
        keys: The candidates, which `select_keys` returns.
        issuer: The expected `iss`.
        client_id: The expected `aud`.
        now: Unix seconds.

    Raises:
        LogoutTokenError: The token must be rejected.
    """
    key_id(token)
    claims = _parse_object(_verified_payload(token, keys), "payload")
    if claims.get("iss") != issuer:
        raise LogoutTokenError("iss is another issuer")
    audience = claims.get("aud")
    if audience != client_id and not (isinstance(audience, list) and client_id in audience):
        raise LogoutTokenError("aud is another client")
    issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
    if not now - MAX_AGE <= issued_at <= now + CLOCK_SKEW:
        raise LogoutTokenError("iat is too old or in the future")
    if expires_at + CLOCK_SKEW < now:
        raise LogoutTokenError("the token has expired")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise LogoutTokenError("events has no logout event")
    if "nonce" in claims:
        raise LogoutTokenError("the token has a nonce, so it may be an ID token")
    token_id, subject, sid = (_text(claims, name) for name in ("jti", "sub", "sid"))
    if token_id is None:
        raise LogoutTokenError("jti is missing")
    if subject is None and sid is None:
        raise LogoutTokenError("sub and sid are missing")
    return LogoutToken(issuer, token_id, subject, sid)


def select_keys(document: Any, kid: str | None) -> list[dict[str, Any]]:
    """Return the public signing keys of a JWK Set (RFC 7517 §5): those with this `kid`, or all without one."""
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
    usable = [key for key in keys if key.get("kty") in KEY_TYPES and key.get("use") in (None, "sig")]
    return [key for key in usable if kid is None or key.get("kid") == kid]


def _verified_payload(token: str, keys: Iterable[dict[str, Any]]) -> bytes:
    for key in keys:
        # A key without `alg` serves every algorithm of its type, but PyJWT would choose one.
        named = key.get("alg")
        try:
            public_key = jwt.PyJWK(key, algorithm=named).key
            accepted = [named] if named in ALGORITHMS else list(ALGORITHMS) if named is None else []
            payload: bytes = jwt.PyJWS().decode(token, public_key, algorithms=accepted)
        except (jwt.PyJWTError, TypeError, ValueError):
            continue
        return payload
    raise LogoutTokenError("no key of the provider verifies the signature")


def _decode(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise LogoutTokenError("the token is not base64url") from error


def _parse_object(text: bytes, part: str) -> dict[str, Any]:
    """Parse a JSON object; reject duplicate keys, because parsers disagree about which one wins."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise LogoutTokenError(f"the {part} has duplicate keys")
        return dict(pairs)

    try:
        parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except LogoutTokenError:
        raise
    except (ValueError, RecursionError) as error:
        raise LogoutTokenError(f"the {part} is not JSON in UTF-8") from error
    if not isinstance(parsed, dict):
        raise LogoutTokenError(f"the {part} is not a JSON object")
    return parsed


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_TIME:
        raise LogoutTokenError(f"{name} is missing or not a number")
    return value


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH):
        raise LogoutTokenError(f"{name} is empty, too long or not a string")
    return value
