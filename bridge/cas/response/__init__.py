"""The strict reading of a validation answer, in each of the forms that CAS servers give. Pure.

Some servers release attribute values without escaping them, so the structure of an answer proves little: what
is ambiguous is refused as a whole, and nothing is repaired. Accepted limits: UTF-8 only, 64 KiB,
255 characters of user name, 2,000 attribute values.

The form is chosen by the body, whatever was asked for: servers ignore `format=JSON`, and name their content at will.
`service_response` reads the XML of CAS 2.0 and 3.0, `json_response` its JSON, `lines` CAS 1.0 and `saml` SAML 1.1;
`document` parses XML, and `strictness` has what all forms must keep to.
"""

from __future__ import annotations

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.cas1 import read_lines
from bridge.cas.response.document import looks_like_html, read_xml
from bridge.cas.response.json_response import read_json_response
from bridge.cas.response.limits import (
    ATTRIBUTE_VALUES_MAX,
    BODY_MAX_BYTES,
    LOGGED_TEXT_MAX_CHARS,
    USER_MAX_CHARS,
    check_size,
    check_utf8,
    redact,
)
from bridge.cas.response.saml import is_soap, read_saml_response
from bridge.cas.response.service_response import read_service_response
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
    """Return what CAS vouches for, or raise what CAS refused or why its answer cannot be used.

    :param service: the service URL that was asked about; a SAML answer has to name it
    :param now: Unix seconds; a SAML answer has to be of this time
    :raises TicketRejected: when CAS does not know the ticket (any more)
    :raises SignInDenied: when CAS's policy refuses, or the sign-in was handed on by another application
    :raises UpstreamError: when the answer is of no use, or CAS does not serve this site
    """
    check_size(body)
    text = body.removeprefix(_BOM)
    # Older servers render the answer from page templates, which leave empty lines before the XML.
    trimmed = text.strip()
    if looks_like_html(trimmed):
        raise UpstreamMisconfigured(detail="CAS answered a web page (HTML), no validation; check the CAS URL")
    decoded = check_utf8(text)
    if trimmed.startswith(b"{"):
        return read_json_response(decoded)
    if not trimmed.startswith(b"<"):
        return read_lines(decoded)
    root = read_xml(trimmed)
    return read_saml_response(root, service=service, now=now) if is_soap(root) else read_service_response(root)
