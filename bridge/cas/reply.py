"""The strict reading of a CAS 2.0 or 3.0 validation answer. Pure.

Some servers release attribute values without escaping them, so the structure of an answer proves little: what
is ambiguous is refused as a whole, and nothing is repaired. Accepted limits: UTF-8 only, 64 KiB,
255 characters of user name, 2,000 attribute values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # builds only; defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from bridge.cas.protocol import ValidatedTicket
from bridge.errors import (
    BridgeError,
    ServiceNotAccepted,
    SignInDenied,
    TicketRefused,
    UpstreamError,
    UpstreamMalformed,
    UpstreamMisconfigured,
)

BODY_MAX_BYTES = 64 * 1024
USER_MAX_CHARS = 255
ATTRIBUTE_VALUES_MAX = 2_000
LOGGED_TEXT_MAX_CHARS = 200

_NAMESPACE = "{http://www.yale.edu/tp/cas}"
_SUCCESS, _FAILURE = f"{_NAMESPACE}authenticationSuccess", f"{_NAMESPACE}authenticationFailure"
_BOM = b"\xef\xbb\xbf"
_LOOKS_LIKE_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_ATTRIBUTE_WRAPPERS = ("attributes", "norEduPerson")
# Children of a success that are never attributes. `attraStyle` only names the style of the others.
_NOT_ATTRIBUTES = ("user", "proxyGrantingTicket", "proxies", "attraStyle")
# Apereo writes names that XML does not allow (urn:oid:…) as "_" and the hex digits of their bytes.
_HEX_NAME = re.compile(r"_((?:[0-9a-fA-F]{2}){3,})")
_TICKET_LIKE = re.compile(r"\b([A-Z]{2,6})(?:-|%2D)[A-Za-z0-9._~:/+=%-]+")
_URL_QUERY = re.compile(r"(?:\?|%3F)[^\s'\"<>]*")

_ERROR_OF_CODE: Mapping[str, type[BridgeError]] = {
    "INVALID_TICKET": TicketRefused,
    "INVALID_SERVICE": ServiceNotAccepted,
    "INVALID_REQUEST": ServiceNotAccepted,
    "INVALID_TICKET_SPEC": ServiceNotAccepted,
    "UNAUTHORIZED_SERVICE": SignInDenied,
    "UNAUTHORIZED_SERVICE_PROXY": SignInDenied,
    "UNAUTHORIZED_USER": SignInDenied,
    "INVALID_PROXY_CALLBACK": SignInDenied,
}


def parse_validation(body: bytes) -> ValidatedTicket:
    """Return what CAS vouches for, or raise what CAS refused or why its answer cannot be used."""
    outcome = _only_outcome(_read_xml(body))
    if outcome.tag == _FAILURE:
        raise _refusal(outcome)
    _check_not_proxied(outcome)
    return ValidatedTicket(user=_user(outcome), attributes=_attributes(outcome))


def _read_xml(body: bytes) -> Element:
    if len(body) > BODY_MAX_BYTES:
        raise UpstreamMalformed(detail=f"CAS answered more than {BODY_MAX_BYTES} bytes")
    # Older servers render the answer from page templates, which leave empty lines before the XML.
    text = body.removeprefix(_BOM).strip()
    if _LOOKS_LIKE_HTML.match(text):
        raise UpstreamMisconfigured(detail="CAS answered a web page (HTML), not XML; check the CAS URL")
    _check_is_utf8(text)
    # Comments and processing instructions are kept to be seen: dropping them would join the text around them.
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser: Any = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declared_encoding
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException:
        raise UpstreamMalformed(detail="CAS answered XML with a DOCTYPE, which is never accepted") from None
    except ParseError as error:
        raise UpstreamMalformed(detail=f"CAS answered broken XML: {error}") from None
    return root


def _check_is_utf8(text: bytes) -> None:
    """The bytes must be readable in one way only. Given the encoding, expat still guesses at UTF-16."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise UpstreamMalformed(detail="CAS answered bytes that are not UTF-8") from None
    if b"\0" in text:
        raise UpstreamMalformed(detail="CAS answered NUL bytes")


def _check_declared_encoding(version: str, encoding: str | None, standalone: int) -> None:
    del version, standalone
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise UpstreamMalformed(detail=f"CAS answered XML in {encoding[:40]}; only UTF-8 is read")


def _only_outcome(root: Element) -> Element:
    if root.tag != f"{_NAMESPACE}serviceResponse":
        raise UpstreamMalformed(detail="CAS answered XML that is no cas:serviceResponse")
    outcomes = [element for element in root.iter() if element.tag in (_SUCCESS, _FAILURE)]
    # One in the whole document, not one of each kind: a success beside or inside a failure is no success.
    if len(outcomes) != 1 or outcomes[0] not in list(root):
        raise UpstreamMalformed(detail=f"CAS answered {len(outcomes)} outcomes or a misplaced one; want one")
    return outcomes[0]


def _refusal(failure: Element) -> BridgeError:
    code = failure.get("code", "").strip()
    said = redact(f"{code or 'no code'}: {' '.join(''.join(failure.itertext()).split())}")
    return _ERROR_OF_CODE.get(code, UpstreamError)(detail=f"CAS refused with {said}")


def redact(text: str) -> str:
    """Cut what CAS says about a failure for the log: it may quote the ticket or the service URL's state."""
    text = _URL_QUERY.sub("?…", _TICKET_LIKE.sub(r"\1-…", text))
    return text[:LOGGED_TEXT_MAX_CHARS]


def _check_not_proxied(success: Element) -> None:
    for child in success:
        if _local_name(child) == "proxies" and (len(child) or _text(child)):
            raise SignInDenied(
                "This site does not accept sign-ins handed on by another application. "
                "Open the application in your browser and sign in there.",
                detail="CAS vouched for a proxied sign-in (cas:proxies is not empty)",
            )


def _user(success: Element) -> str:
    users = [child for child in success if _local_name(child) == "user"]
    if len(users) != 1 or users[0].tag != f"{_NAMESPACE}user":
        raise UpstreamMalformed(detail=f"CAS answered {len(users)} cas:user elements in place of one")
    user = _text(users[0])
    if user is None:
        raise UpstreamMalformed(detail="cas:user holds more than text")
    if not user or len(user) > USER_MAX_CHARS or not user.isprintable():
        raise UpstreamMalformed(
            detail=f"cas:user is empty, over {USER_MAX_CHARS} characters, or has control characters"
        )
    return user


def _attributes(success: Element) -> dict[str, tuple[str, ...]]:
    # Dictionaries without values, as ordered sets: servers that send two styles at once say everything twice.
    merged: dict[str, dict[str, None]] = {}
    for name, value in _named_values(success):
        if name and name.isprintable():
            merged.setdefault(name, {})[value] = None
    if sum(map(len, merged.values())) > ATTRIBUTE_VALUES_MAX:
        raise UpstreamMalformed(detail=f"CAS released more than {ATTRIBUTE_VALUES_MAX} attribute values")
    return {name: tuple(values) for name, values in merged.items()}


def _named_values(success: Element) -> Iterator[tuple[str, str]]:
    for child in success:
        name = _local_name(child)
        if name in _ATTRIBUTE_WRAPPERS:
            for attribute in child:
                yield from _read_attribute(attribute, _local_name(attribute))
        elif name not in _NOT_ATTRIBUTES:
            yield from _read_attribute(child, name)


def _read_attribute(element: Element, name: str) -> Iterator[tuple[str, str]]:
    """One attribute in any of its shapes: <mail>v</mail>, <attribute name value/>, or name and value inside.

    A value that is not plain text is left out: what it would be without its markup is a guess.
    """
    if name == "attribute" and element.get("name") is not None:
        yield element.get("name", "").strip(), element.get("value", _text(element) or "").strip()
    elif name == "attribute" and len(element):
        parts = [(_local_name(part), _text(part)) for part in element]
        names = [text for part, text in parts if part == "name" and text]
        if len(names) == 1:
            yield from ((names[0], text) for part, text in parts if part == "value" and text is not None)
    elif (text := _text(element)) is not None:
        yield _decoded_name(name), text


def _decoded_name(name: str) -> str:
    if name.startswith("_") and (encoded := _HEX_NAME.fullmatch(name)):
        decoded = bytes.fromhex(encoded[1]).decode("utf-8", "replace")
        if (":" in decoded or "@" in decoded) and decoded.isprintable():
            return decoded
    return name


def _text(element: Element) -> str | None:
    """The text of an element that holds nothing else, or None."""
    return None if len(element) else (element.text or "").strip()


def _local_name(element: Element) -> str:
    """The name without its namespace; empty for comments and processing instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
