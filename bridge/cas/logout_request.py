"""Reading what CAS sends when it ends a session: the ticket that it names, and nothing else. Pure.

A SAML `LogoutRequest` in which only `SessionIndex` means anything: a ticket that CAS gave out for this service. Servers
write the rest as they like, some without the namespaces that XML demands, so names are compared without them. What is
read here comes from anybody, signed by nobody; the ticket is the one secret in it.

CAS protocol §2.3.3 and Appendix C; the front channel is Apereo's.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from urllib.parse import parse_qsl, unquote, unquote_plus
from xml.parsers import expat  # S405 is about entities, and a document that declares any is refused below

from bridge.errors import LogoutRequestMalformed

PARAMETER = "logoutRequest"
PROBE_TICKET_PREFIX = "ST-passerelle-check-"
"""How the tickets begin by which `passerelle check` tries whether messages reach us: CAS reports nothing by them."""
MESSAGE_MAX_BYTES = 16 * 1024
TICKET_MAX_CHARS = 1024
_FIELDS_MAX = 20


def message_from_body(body: bytes) -> bytes:
    """The message in the body of a back-channel request: as a form's field, or as it is, whatever type is declared.

    :raises LogoutRequestMalformed: when there is none, or more than one
    """
    if _starts_like_xml(body.strip()):
        return body
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise LogoutRequestMalformed(detail="the body is neither XML nor a form") from None
    return message_from_values([value for name, value in fields if name == PARAMETER])


def message_from_values(values: list[str]) -> bytes:
    """The message in a form's or a query's `logoutRequest`, of which there has to be one."""
    if len(values) != 1:
        raise LogoutRequestMalformed(detail=f"{len(values)} values of {PARAMETER} instead of one")
    return values[0].encode("utf-8", "replace")


def message_from_front_channel(value: bytes) -> bytes:
    """The message that a browser carries: deflated and in base64, or as it is.

    :raises LogoutRequestMalformed: when it is neither, or would be larger than a message may be
    """
    if _starts_like_xml(value.strip()):
        return value
    try:
        # A "+" that nobody encoded arrives as a space; some encoders break lines, and some leave the padding out.
        letters = value.strip().replace(b" ", b"+").replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
        deflated = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        raise LogoutRequestMalformed(detail=f"{PARAMETER} is neither XML nor base64") from None
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):  # with zlib's header, or without as SAML has it
        inflating = zlib.decompressobj(window)
        try:
            message = inflating.decompress(deflated, MESSAGE_MAX_BYTES + 1)
        except zlib.error:
            continue
        if inflating.eof and len(message) <= MESSAGE_MAX_BYTES:
            return message
    raise LogoutRequestMalformed(detail=f"{PARAMETER} does not inflate to {MESSAGE_MAX_BYTES} bytes at most")


def parse_logout_request(message: bytes) -> str:
    """The ticket whose session is over. It may be one that we never saw.

    :raises LogoutRequestMalformed: for anything but a LogoutRequest with one SessionIndex
    """
    text = message.strip()
    if text[:3].lower() == b"%3c":  # some servers encode the field twice
        # Whoever writes a space as %20 means a plus by "+".
        decode = unquote if b"%20" in text else unquote_plus
        text = decode(text.decode("utf-8", "replace")).encode()
    if len(text) > MESSAGE_MAX_BYTES:
        raise LogoutRequestMalformed(detail=f"more than {MESSAGE_MAX_BYTES} bytes")
    reader = _Reader()
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise LogoutRequestMalformed(detail=f"broken XML: {expat.ErrorString(error.code)}") from None
    if len(reader.tickets) != 1:
        raise LogoutRequestMalformed(detail=f"{len(reader.tickets)} SessionIndex elements instead of one")
    ticket = reader.tickets[0].strip()
    if not ticket or len(ticket) > TICKET_MAX_CHARS or not ticket.isprintable():
        raise LogoutRequestMalformed(detail="SessionIndex is empty, too long, or has control characters")
    return ticket


def _starts_like_xml(text: bytes) -> bool:
    return text.startswith((b"<", b"\xef\xbb\xbf<")) or text[:3].lower() == b"%3c"


class _Reader:
    """What expat tells: names without their prefix, and the text of each `SessionIndex` below the root."""

    def __init__(self) -> None:
        self.tickets: list[str] = []
        self._depth = 0
        self._is_inside = False
        # Without a separator for namespaces: with one, expat refuses a prefix that nobody declared.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.CommentHandler = self._refuse_inside
        self.parser.ProcessingInstructionHandler = self._refuse_inside

    def _start(self, name: str, _attributes: object) -> None:
        self._refuse_inside()
        self._depth += 1
        local_name = name.rpartition(":")[2]
        if self._depth == 1 and local_name != "LogoutRequest":
            raise LogoutRequestMalformed(detail="XML that is no LogoutRequest")
        if self._depth == 2 and local_name == "SessionIndex":
            self._is_inside = True
            self.tickets.append("")

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._is_inside = False

    def _text(self, text: str) -> None:
        if self._is_inside:
            self.tickets[-1] += text

    def _refuse_inside(self, *_: str) -> None:
        """A ticket with anything but text in it could be read in two ways."""
        if self._is_inside:
            raise LogoutRequestMalformed(detail="SessionIndex holds more than text")

    def _refuse_doctype(self, *_: object) -> None:
        """Before anything of it is read: entities and files are named in there."""
        raise LogoutRequestMalformed(detail="a DOCTYPE, which is never accepted")
