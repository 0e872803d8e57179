"""Parser for the SAML `LogoutRequest` with which CAS ends a session (CAS protocol §2.3.3, appendix C).

Only `SessionIndex`, the service ticket, is read. Servers write the rest freely, some without the XML namespaces, so
names are compared without them. Messages are unsigned and unauthenticated; the ticket is the only secret in them.
Apereo also sends these messages through the browser (front channel).
"""

import base64
import binascii
import zlib
from urllib.parse import parse_qsl, unquote, unquote_plus
from xml.parsers import expat  # safe: a DOCTYPE, and with it every entity, is rejected below

from bridge.errors import LogoutRequestMalformed

PARAMETER = "logoutRequest"
FRONT_CHANNEL_PARAMETERS = (PARAMETER, "SAMLRequest")
"""Names in the query of a front-channel logout; Jasig CAS 4 uses the second one."""
PROBE_TICKET_PREFIX = "ST-passerelle-check-"
"""Prefix of the tickets in test messages of `passerelle check`. CAS never issues such a ticket."""
MESSAGE_MAX_BYTES = 16 * 1024
TICKET_MAX_CHARS = 1024
_FIELDS_MAX = 20


def message_from_body(body: bytes) -> bytes:
    """Extract the message from a back-channel request, a form field or raw XML, ignoring the declared content type."""
    if _starts_like_xml(body.strip()):
        return body
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise LogoutRequestMalformed(detail="the body is neither XML nor a form") from None
    return message_from_values([value for name, value in fields if name == PARAMETER])


def message_from_values(values: list[str]) -> bytes:
    """Return the message of the only `logoutRequest` parameter."""
    if len(values) != 1:
        raise LogoutRequestMalformed(detail=f"{len(values)} logout requests, expected one")
    return values[0].encode("utf-8", "replace")


def message_from_front_channel(value: bytes) -> bytes:
    """Decode a front-channel message: deflated and base64-encoded, or plain XML."""
    if _starts_like_xml(value.strip()):
        return value
    try:
        # An unencoded "+" arrives as a space. Some encoders break lines, and some omit the padding.
        letters = value.strip().replace(b" ", b"+").replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
        deflated = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        raise LogoutRequestMalformed(detail=f"{PARAMETER} is neither XML nor base64") from None
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):  # with a zlib header, or without one as SAML specifies
        inflating = zlib.decompressobj(window)
        try:
            message = inflating.decompress(deflated, MESSAGE_MAX_BYTES + 1)
        except zlib.error:
            continue
        if inflating.eof and len(message) <= MESSAGE_MAX_BYTES:
            return message
    raise LogoutRequestMalformed(detail=f"{PARAMETER} does not inflate to {MESSAGE_MAX_BYTES} bytes at most")


def parse_logout_request(message: bytes) -> str:
    """Return the ticket of the session that ended, or raise LogoutRequestMalformed."""
    text = message.strip()
    if text[:3].lower() == b"%3c":  # some servers encode the field twice
        # If spaces are encoded as %20, a "+" is a literal plus.
        decode = unquote if b"%20" in text else unquote_plus
        text = decode(text.decode("utf-8", "replace")).encode()
    if len(text) > MESSAGE_MAX_BYTES:
        raise LogoutRequestMalformed(detail=f"more than {MESSAGE_MAX_BYTES} bytes")
    reader = _LogoutRequestReader()
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise LogoutRequestMalformed(detail=f"broken XML: {expat.ErrorString(error.code)}") from None
    if len(reader.tickets) != 1:
        raise LogoutRequestMalformed(detail=f"{len(reader.tickets)} SessionIndex elements, expected one")
    ticket = reader.tickets[0].strip()
    if not ticket or len(ticket) > TICKET_MAX_CHARS or not ticket.isprintable():
        raise LogoutRequestMalformed(detail="SessionIndex is empty, too long, or has control characters")
    return ticket


def _starts_like_xml(text: bytes) -> bool:
    return text.startswith((b"<", b"\xef\xbb\xbf<")) or text[:3].lower() == b"%3c"


class _LogoutRequestReader:
    """Expat handlers that collect the text of each `SessionIndex` below the root, ignoring prefixes."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self._depth = 0
        self._is_inside = False
        # No namespace separator: with one, expat rejects undeclared prefixes.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._reject_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.CommentHandler = self._reject_inside
        self.parser.ProcessingInstructionHandler = self._reject_inside

    def _start(self, name: str, _attributes: object) -> None:
        self._reject_inside()
        self._depth += 1
        local_name = name.rpartition(":")[2]
        if self._depth == 1 and local_name != "LogoutRequest":
            raise LogoutRequestMalformed(detail="the XML is not a LogoutRequest")
        if self._depth == 2 and local_name == "SessionIndex":
            self._is_inside = True
            self.tickets.append("")

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._is_inside = False

    def _text(self, text: str) -> None:
        if self._is_inside:
            self.tickets[-1] += text

    def _reject_inside(self, *_: str) -> None:
        """Reject markup inside a ticket, because it makes the value ambiguous."""
        if self._is_inside:
            raise LogoutRequestMalformed(detail="SessionIndex holds more than text")

    def _reject_doctype(self, *_: object) -> None:
        """Reject a DOCTYPE before its entities are read."""
        raise LogoutRequestMalformed(detail="a DOCTYPE is not allowed")
