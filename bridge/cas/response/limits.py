"""What an answer must keep to, whatever its form: size, encoding, the user, the attributes, the codes of refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bridge.errors import (
    BridgeError,
    ServiceRejected,
    SignInDenied,
    TicketRejected,
    UpstreamError,
    UpstreamMalformed,
)

BODY_MAX_BYTES = 64 * 1024
USER_MAX_CHARS = 255
ATTRIBUTE_VALUES_MAX = 2_000
LOGGED_TEXT_MAX_CHARS = 200

_TICKET_LIKE = re.compile(r"\b([A-Z]{2,6})(?:-|%2D)[A-Za-z0-9._~:/+=%-]+")
_URL_QUERY = re.compile(r"(?:\?|%3F)[^\s'\"<>]*")
# Apereo writes names that XML does not allow (urn:oid:…) as "_" and the hex digits of their bytes.
_HEX_NAME = re.compile(r"_((?:[0-9a-fA-F]{2}){3,})")

# CAS 3.0 §2.5.3. What it says of the service is about how this site is set up or registered, not about the user.
ERROR_OF_CODE: Mapping[str, type[BridgeError]] = {
    "INVALID_TICKET": TicketRejected,
    "INVALID_SERVICE": ServiceRejected,
    "INVALID_REQUEST": ServiceRejected,
    "INVALID_TICKET_SPEC": ServiceRejected,
    "UNAUTHORIZED_SERVICE": ServiceRejected,
    "UNAUTHORIZED_SERVICE_PROXY": ServiceRejected,
    "UNAUTHORIZED_USER": SignInDenied,
    "INVALID_PROXY_CALLBACK": SignInDenied,
}


def check_size(body: bytes) -> None:
    """Nothing that large is read at all."""
    if len(body) > BODY_MAX_BYTES:
        raise UpstreamMalformed(detail=f"CAS answered more than {BODY_MAX_BYTES} bytes")


def check_utf8(text: bytes) -> str:
    """The bytes must be readable in one way only. Given the encoding, expat still guesses at UTF-16."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise UpstreamMalformed(detail="CAS answered bytes that are not UTF-8") from None
    if "\0" in decoded:
        raise UpstreamMalformed(detail="CAS answered NUL bytes")
    return decoded


def check_user(user: str, called: str) -> str:
    """A user that can be shown and kept: stripped, not empty, 255 characters at most, all of them visible.

    :param called: what holds the user in this form of answer, for the log
    """
    user = user.strip()
    if not user or len(user) > USER_MAX_CHARS or not user.isprintable():
        raise UpstreamMalformed(
            detail=f"{called} is empty, over {USER_MAX_CHARS} characters, or has control characters"
        )
    return user


def merged(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Every attribute as a list without repetition, in the order of the answer; nameless ones are left out."""
    # Dictionaries without values, as ordered sets: servers that send two styles at once say everything twice.
    lists: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        if name and name.isprintable():
            lists.setdefault(name, {})[value] = None
    if sum(map(len, lists.values())) > ATTRIBUTE_VALUES_MAX:
        raise UpstreamMalformed(detail=f"CAS released more than {ATTRIBUTE_VALUES_MAX} attribute values")
    return {name: tuple(values) for name, values in lists.items()}


def decoded_name(name: str) -> str:
    """An attribute's name, from its hexadecimal form where it is one."""
    if name.startswith("_") and (encoded := _HEX_NAME.fullmatch(name)):
        decoded = bytes.fromhex(encoded[1]).decode("utf-8", "replace")
        if (":" in decoded or "@" in decoded) and decoded.isprintable():
            return decoded
    return name


def refusal(code: str, text: str) -> BridgeError:
    """The error for a failure of CAS; its text is for the log alone."""
    said = redact(f"{code or 'no code'}: {' '.join(text.split())}")
    return ERROR_OF_CODE.get(code, UpstreamError)(detail=f"CAS refused with {said}")


def proxied() -> SignInDenied:
    """The error for a user whom another application vouches for, not they themselves (CVE-2012-1104)."""
    return SignInDenied(
        "This site does not accept sign-ins handed on by another application. "
        "Open the application in your browser and sign in there.",
        detail="CAS vouched for a proxied sign-in (the list of proxies is not empty)",
    )


def redact(text: str) -> str:
    """Cut what CAS says about a failure for the log: it may quote the ticket or the service URL's state."""
    text = _URL_QUERY.sub("?…", _TICKET_LIKE.sub(r"\1-…", text))
    return text[:LOGGED_TEXT_MAX_CHARS]
