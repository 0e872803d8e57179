"""Limits and errors that all response formats share."""

import re
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.errors import BridgeError, ServiceRejected, SignInDenied, TicketRejected, UpstreamError, UpstreamMalformed

USER_MAX_CHARS = 255
ATTRIBUTE_VALUES_MAX = 2_000
LOGGED_TEXT_MAX_CHARS = 200

_TICKET_LIKE = re.compile(r"\b([A-Z]{2,6})(?:-|%2D)[A-Za-z0-9._~:/+=%-]+")
_URL_QUERY = re.compile(r"(?:\?|%3F)[^\s'\"<>]*")
# Apereo encodes names that XML does not allow (urn:oid:…) as "_" and the hexadecimal digits of their bytes.
_HEX_NAME = re.compile(r"_((?:[0-9a-fA-F]{2}){3,})")

# CAS 3.0 §2.5.3. Codes about the service concern the setup or registration of this site, not the user.
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


def check_user(user: str, label: str) -> str:
    """Return the stripped user name, which must be printable and at most `USER_MAX_CHARS` long."""
    user = user.strip()
    if not user or len(user) > USER_MAX_CHARS or not user.isprintable():
        raise UpstreamMalformed(detail=f"{label} is empty, over {USER_MAX_CHARS} characters, or has control characters")
    return user


def text_of(element: Element) -> str | None:
    """Return the text of an element without children, or None."""
    return None if len(element) else (element.text or "").strip()


def merge_attributes(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return every attribute as a list without duplicates, in order; unnamed attributes are dropped."""
    # Dictionaries serve as ordered sets: servers that send two styles at once repeat every value.
    lists: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        if name and name.isprintable():
            lists.setdefault(name, {})[value] = None
    if sum(map(len, lists.values())) > ATTRIBUTE_VALUES_MAX:
        raise UpstreamMalformed(detail=f"CAS released more than {ATTRIBUTE_VALUES_MAX} attribute values")
    return {name: tuple(values) for name, values in lists.items()}


def decode_name(name: str) -> str:
    """Decode a hexadecimal attribute name; any other name is returned unchanged."""
    if name.startswith("_") and (encoded := _HEX_NAME.fullmatch(name)):
        decoded = bytes.fromhex(encoded[1]).decode("utf-8", "replace")
        if (":" in decoded or "@" in decoded) and decoded.isprintable():
            return decoded
    return name


def failure_error(code: str, text: str) -> BridgeError:
    """Return the error for a failure response; its text goes only to the log."""
    reason = redact(f"{code or 'no code'}: {' '.join(text.split())}")
    return ERROR_OF_CODE.get(code, UpstreamError)(detail=f"CAS returned {reason}")


def proxied_login_error() -> SignInDenied:
    """Return the error for a login that another application proxied (CVE-2012-1104)."""
    return SignInDenied(
        "This site does not accept sign-ins through another application. "
        "Open the application in your browser and sign in there.",
        detail="the login was proxied (the list of proxies is not empty)",
    )


def redact(text: str) -> str:
    """Shorten text of CAS for the log, and remove tickets and URL queries from it."""
    text = _URL_QUERY.sub("?…", _TICKET_LIKE.sub(r"\1-…", text))
    return text[:LOGGED_TEXT_MAX_CHARS]
