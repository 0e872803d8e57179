"""Strict parsers for validation responses, in every format of CAS servers.

Ambiguous responses are rejected whole and never repaired, because some servers release attribute values unescaped.
Limits: UTF-8 only, 64 KiB, 255 characters of user name, 2,000 attribute values.

The body decides the format, because servers ignore `format=JSON` and mislabel content types. `service_response` parses
the XML of CAS 2.0 and 3.0, `json_response` its JSON and `saml` SAML 1.1.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # builds only; defusedxml parses

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.json_response import parse_json_response
from bridge.cas.response.limits import ATTRIBUTE_VALUES_MAX, LOGGED_TEXT_MAX_CHARS, USER_MAX_CHARS, check_user, redact
from bridge.cas.response.saml import SOAP_ENVELOPE, parse_saml_response
from bridge.cas.response.service_response import parse_service_response
from bridge.errors import TicketRejected, UpstreamMalformed, UpstreamMisconfigured

__all__ = [
    "ATTRIBUTE_VALUES_MAX",
    "BODY_MAX_BYTES",
    "LOGGED_TEXT_MAX_CHARS",
    "USER_MAX_CHARS",
    "parse_validation",
    "redact",
]

BODY_MAX_BYTES = 64 * 1024
_LOOKS_LIKE_HTML = re.compile(rb"(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_NO = re.compile(r"no\r?\n(?:\r?\n)*")
# The line break after the user is required: without it the name could be truncated.
_YES = re.compile(r"yes\r?\n([^\r\n]*)\r?\n((?:[^\r\n=]+=[^\r\n]*\r?\n)*)(?:\r?\n)*")


def parse_validation(body: bytes, *, service: str, now: float) -> ValidatedTicket:
    """Parse a validation response; SAML must name `service`, and be valid `now` (Unix seconds).

    Raises:
        TicketRejected: If CAS does not know the ticket.
        SignInDenied: If CAS denies access to the user, or another application proxied the login.
        UpstreamError: If the response is unusable, or CAS rejects the service URL.
    """
    if len(body) > BODY_MAX_BYTES:
        raise UpstreamMalformed(detail=f"the response of CAS exceeds {BODY_MAX_BYTES} bytes")
    text = body.removeprefix(b"\xef\xbb\xbf")  # byte order mark
    # Older servers render responses from page templates, which leave empty lines before the XML.
    trimmed = text.strip()
    if _LOOKS_LIKE_HTML.match(trimmed):
        raise UpstreamMisconfigured(
            detail="CAS returned a web page (HTML) instead of a validation response; check the CAS URL"
        )
    decoded = _decode_utf8(text)
    if trimmed.startswith(b"{"):
        return parse_json_response(decoded)
    if not trimmed.startswith(b"<"):
        return _parse_cas1(decoded)
    root = _parse_xml(trimmed)
    if root.tag == SOAP_ENVELOPE:
        return parse_saml_response(root, service=service, now=now)
    return parse_service_response(root)


def _decode_utf8(text: bytes) -> str:
    """Decode UTF-8, and reject NUL bytes because expat would still guess at UTF-16."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise UpstreamMalformed(detail="the response of CAS is not UTF-8") from None
    if "\0" in decoded:
        raise UpstreamMalformed(detail="the response of CAS has NUL bytes")
    return decoded


def _parse_cas1(text: str) -> ValidatedTicket:
    """Parse a CAS 1.0 response (§2.4.2): `yes` and the user, or `no`.

    Some servers append attributes as `name=value,value` lines. They are ignored: values are not escaped, so a line
    break in a value would let a user forge attributes.
    """
    if _NO.fullmatch(text):
        raise TicketRejected(detail="CAS rejected the ticket (protocol 1.0 gives no reason: ticket, service or renew)")
    response = _YES.fullmatch(text)
    if response is None:
        raise UpstreamMalformed(detail="the response of CAS is neither XML, JSON nor CAS 1.0")
    return ValidatedTicket(user=check_user(response[1], "the user line"), attributes={})


def _parse_xml(text: bytes) -> Element:
    """Parse a document that is known to be UTF-8; reject any DOCTYPE before its entities are read."""
    # Comments and processing instructions stay in the tree: removing them would join the text around them.
    target = TreeBuilder(insert_comments=True, insert_pis=True)
    parser: Any = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declared_encoding
    try:
        parser.feed(text)
        root: Element = parser.close()
    except DefusedXmlException:
        raise UpstreamMalformed(detail="the XML of CAS has a DOCTYPE") from None
    except ParseError as error:
        raise UpstreamMalformed(detail=f"the XML of CAS is not well-formed: {error}") from None
    return root


def _check_declared_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
        raise UpstreamMalformed(detail=f"the XML of CAS declares {encoding[:40]}; only UTF-8 is supported")
