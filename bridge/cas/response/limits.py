"""Limits and errors that all response formats share."""

import re
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.errors import BridgeError, ServiceRejected, SignInDenied, TicketRejected, UpstreamError, UpstreamMalformed

USER_MAX_CHARS = 255
XML_MARKS_MAX = 20_000
"""Tags and quotation marks in XML, or lines of CAS 1.0: they bound the time and memory of the parsers."""
JSON_MARKS_MAX = 60_000
"""Commas and opening brackets in JSON, which is cheaper to parse."""
ATTRIBUTE_NAMES_MAX = 2_000
LOGGED_TEXT_MAX_CHARS = 200
_NAME_MAX_CHARS = 255

_READ_TEXT_MAX_CHARS = 4_000
_TICKET_LIKE = re.compile(r"\b([A-Z]{2,6})(?:-|%2D)[A-Za-z0-9._~:/+=%-]+")
_URL_QUERY = re.compile(r"(?:\?|%3F)[^\s'\"<>]*")
# Apereo encodes names that XML does not allow (urn:oid:…) as "_" and the hexadecimal digits of their bytes; its JSON
# has the digits alone.
_HEX_NAME = re.compile(r"_?((?:[0-9a-fA-F]{2}){3,})")

# CAS 3.0 §2.5.3. Codes about the service concern the setup or registration of this site, not the user.
ERROR_OF_CODE: Mapping[str, type[BridgeError]] = {
    "INVALID_TICKET": TicketRejected,
    "INVALID_SERVICE": ServiceRejected,
    "INVALID_REQUEST": ServiceRejected,
    "INVALID_TICKET_SPEC": TicketRejected,  # Jasig CAS: renew is unmet; Keycloak: a ticket in an unknown form
    "UNAUTHORIZED_SERVICE": ServiceRejected,
    "UNAUTHORIZED_SERVICE_PROXY": ServiceRejected,
    "UNAUTHORIZED_USER": SignInDenied,
    "INVALID_PROXY_CALLBACK": SignInDenied,
}
FAILURES = frozenset({*ERROR_OF_CODE.values(), UpstreamError})
"""Types of the errors that a failure response raises."""


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
        if name and len(name) <= _NAME_MAX_CHARS and name.isprintable():
            lists.setdefault(name, {})[value] = None
            if len(lists) > ATTRIBUTE_NAMES_MAX:
                raise UpstreamMalformed(detail=f"CAS released more than {ATTRIBUTE_NAMES_MAX} attributes")
    return {name: tuple(values) for name, values in lists.items()}


def decode_name(name: str) -> str:
    """Decode a hexadecimal attribute name; any other name is returned unchanged."""
    if len(name) <= 2 * _NAME_MAX_CHARS and (encoded := _HEX_NAME.fullmatch(name)):
        decoded = bytes.fromhex(encoded[1]).decode("utf-8", "replace")
        if (":" in decoded or "@" in decoded) and decoded.isprintable():
            return decoded
    return name


def check_marks(text: str, marks: str, maximum: int) -> None:
    """Reject a document with too many of the given characters, before it is parsed."""
    if (count := sum(map(text.count, marks))) > maximum:
        raise UpstreamMalformed(detail=f"the response of CAS has {count} of the characters {marks!r}, over {maximum}")


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
    text = _URL_QUERY.sub("?…", _TICKET_LIKE.sub(r"\1-…", text[:_READ_TEXT_MAX_CHARS]))
    return text[:LOGGED_TEXT_MAX_CHARS]
