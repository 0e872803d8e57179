"""Strict parsers for validation responses, in every format of CAS servers.

Ambiguous responses are rejected whole and never repaired, because some servers release attribute values unescaped.
Limits: UTF-8 or a declared single-byte encoding, 255 characters of user name, and so much markup that parsing stays
cheap. The client limits the size.

The body decides the format, because servers ignore `format=JSON` and mislabel content types. `service_response` parses
the XML of CAS 2.0 and 3.0, `json_response` its JSON and `saml` SAML 1.1.
"""

import codecs
import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # builds only; defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.json_response import parse_json_response
from bridge.cas.response.limits import (
    FAILURES,
    LOGGED_TEXT_MAX_CHARS,
    USER_MAX_CHARS,
    XML_MARKS_MAX,
    check_marks,
    check_user,
    redact,
)
from bridge.cas.response.saml import SOAP_ENVELOPE, parse_saml_response
from bridge.cas.response.service_response import parse_service_response
from bridge.errors import BridgeError, TicketRejected, UpstreamMalformed, UpstreamMisconfigured

__all__ = ["LOGGED_TEXT_MAX_CHARS", "USER_MAX_CHARS", "parse_failure", "parse_validation", "redact"]

# Single-byte encodings that contain ASCII, so markup is the same in all of them.
_LEGACY_ENCODINGS = frozenset({"iso8859-1", "iso8859-15", "cp1252"})
_DECLARED_ENCODING = re.compile(r"<\?xml[^>]{1,80}?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9._:-]{1,40})", re.I)
_LOOKS_LIKE_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_NO = re.compile(r"no\r?\n(?:\r?\n)*")
# The line break after the user is required: without it the name could be truncated.
_YES = re.compile(r"yes\r?\n([^\r\n]*)\r?\n((?:[^\r\n=]+=[^\r\n]*\r?\n)*)(?:\r?\n)*")


def parse_validation(body: bytes, *, service: str, now: float, content_type: str = "") -> ValidatedTicket:
    """Parse a validation response; SAML must name `service`, and be valid `now` (Unix seconds).

    The charset of `content_type` is used if the body is not UTF-8.

    Raises:
        TicketRejected: If CAS does not know the ticket.
        SignInDenied: If CAS denies access to the user, or another application proxied the login.
        UpstreamError: If the response is unusable, or CAS rejects the service URL.
    """
    # Older servers render responses from page templates, which leave empty lines before the XML.
    if _LOOKS_LIKE_HTML.match(body.removeprefix(codecs.BOM_UTF8).strip()):
        raise UpstreamMisconfigured(
            detail="CAS returned a web page (HTML) instead of a validation response; check the CAS URL"
        )
    text = _decode(body, content_type)
    trimmed = text.strip()
    if trimmed.startswith("{"):
        return parse_json_response(text)
    if not trimmed.startswith("<"):
        return _parse_cas1(text)
    root = _parse_xml(trimmed)
    if root.tag == SOAP_ENVELOPE:
        return parse_saml_response(root, service=service, now=now)
    return parse_service_response(root)


def parse_failure(body: bytes, *, service: str, now: float, content_type: str = "") -> BridgeError | None:
    """Return the CAS failure in a response with an error status, or None if it holds anything else.

    Keycloak's CAS plug-in sends its failures with status 400. A success with such a status is never accepted.
    """
    try:
        parse_validation(body, service=service, now=now, content_type=content_type)
    except BridgeError as error:
        return error if type(error) in FAILURES else None
    return None


def _decode(body: bytes, content_type: str) -> str:
    """Decode a body as UTF-8, or else by its XML declaration or the charset of its content type.

    UTF-8 comes first unless the document itself declares another encoding, because servlet containers label any text
    as ISO-8859-1.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    declared = _encoding(_DECLARED_ENCODING.match(text[:200].decode("latin-1").lstrip()))
    labelled = _encoding(_CHARSET.search(content_type))
    encodings = ["utf-8", *(name for name in (labelled, declared) if name in _LEGACY_ENCODINGS)]
    if text != body:
        encodings = ["utf-8"]
    elif declared in _LEGACY_ENCODINGS and labelled != "utf-8":
        encodings = [declared]
    for encoding in encodings:
        try:
            decoded = text.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in decoded:
            raise UpstreamMalformed(detail="the response of CAS has NUL bytes")
        return decoded
    raise UpstreamMalformed(detail=f"the response of CAS is not {' or '.join(encodings)}")


def _encoding(found: re.Match[str] | None) -> str:
    """Return the canonical name of an encoding, or an empty string if there is none that Python knows."""
    try:
        return codecs.lookup(found[1]).name if found else ""
    except LookupError:
        return ""


def _parse_cas1(text: str) -> ValidatedTicket:
    """Parse a CAS 1.0 response (§2.4.2): `yes` and the user, or `no`.

    Some servers append attributes as `name=value,value` lines. They are ignored: values are not escaped, so a line
    break in a value would let a user forge attributes.
    """
    check_marks(text, "\n", XML_MARKS_MAX)
    if _NO.fullmatch(text):
        raise TicketRejected(detail="CAS rejected the ticket (protocol 1.0 gives no reason: ticket, service or renew)")
    response = _YES.fullmatch(text)
    if response is None:
        raise UpstreamMalformed(detail="the response of CAS is neither XML, JSON nor CAS 1.0")
    return ValidatedTicket(user=check_user(response[1], "the user line"), attributes={})


def _parse_xml(text: str) -> Element:
    """Parse a document; reject any DOCTYPE before its entities are read."""
    check_marks(text, "<\"'", XML_MARKS_MAX)
    # Comments and processing instructions stay in the tree: removing them would join the text around them.
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser: Any = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declared_encoding
    try:
        parser.feed(text.encode())
        root: Element = parser.close()
    except DefusedXmlException:
        raise UpstreamMalformed(detail="the XML of CAS has a DOCTYPE") from None
    except ParseError as error:
        raise UpstreamMalformed(
            detail=f"the XML of CAS is not well-formed: {error}; if CAS supports JSON, set cas_format=json"
        ) from None
    return root


def _check_declared_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    try:
        is_known = encoding is None or codecs.lookup(encoding).name in {"utf-8", "ascii", *_LEGACY_ENCODINGS}
    except LookupError:
        is_known = False
    if not is_known:
        raise UpstreamMalformed(
            detail=f"the XML of CAS declares {str(encoding)[:40]}; supported are UTF-8, ISO-8859-1 and windows-1252"
        )
