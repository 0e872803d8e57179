"""Strict parsers for validation responses, in every format of CAS servers.

Ambiguous responses are rejected whole and never repaired, because some servers release attribute values unescaped.
Limits: UTF-8 only, 64 KiB, 255 characters of user name, 2,000 attribute values.

The body decides the format, because servers ignore `format=JSON` and mislabel content types. `service_response` parses
the XML of CAS 2.0 and 3.0, `json_response` its JSON, `cas1` CAS 1.0 and `saml` SAML 1.1.
"""

from __future__ import annotations

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.cas1 import parse_cas1_response
from bridge.cas.response.document import looks_like_html, parse_xml
from bridge.cas.response.json_response import parse_json_response
from bridge.cas.response.limits import (
    ATTRIBUTE_VALUES_MAX,
    BODY_MAX_BYTES,
    LOGGED_TEXT_MAX_CHARS,
    USER_MAX_CHARS,
    check_size,
    check_utf8,
    redact,
)
from bridge.cas.response.saml import is_soap, parse_saml_response
from bridge.cas.response.service_response import parse_service_response
from bridge.errors import UpstreamMisconfigured

__all__ = [
    "ATTRIBUTE_VALUES_MAX",
    "BODY_MAX_BYTES",
    "LOGGED_TEXT_MAX_CHARS",
    "USER_MAX_CHARS",
    "parse_validation",
    "redact",
]

_BOM = b"\xef\xbb\xbf"


def parse_validation(body: bytes, *, service: str, now: float) -> ValidatedTicket:
    """Parse a validation response.

    Args:
        body: The response body.
        service: The service URL of the request; a SAML response must name it.
        now: Current time in Unix seconds; a SAML response must be valid then.

    Raises:
        TicketRejected: If CAS does not know the ticket.
        SignInDenied: If CAS denies access to the user, or another application proxied the login.
        UpstreamError: If the response is unusable, or CAS rejects the service URL.
    """
    check_size(body)
    text = body.removeprefix(_BOM)
    # Older servers render responses from page templates, which leave empty lines before the XML.
    trimmed = text.strip()
    if looks_like_html(trimmed):
        raise UpstreamMisconfigured(
            detail="CAS returned a web page (HTML) instead of a validation response; check the CAS URL"
        )
    decoded = check_utf8(text)
    if trimmed.startswith(b"{"):
        return parse_json_response(decoded)
    if not trimmed.startswith(b"<"):
        return parse_cas1_response(decoded)
    root = parse_xml(trimmed)
    return parse_saml_response(root, service=service, now=now) if is_soap(root) else parse_service_response(root)
