"""SAML 1.1 in a SOAP envelope, as `/samlValidate` answers (CAS 3.0 §4.2, SAML 1.1 core).

Unsigned: it is believed because it came from CAS over TLS as the answer to our question. Its conditions are checked
all the same, so that an answer for another service or of another day is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.cas.dates import parse_unix_seconds
from bridge.cas.protocol import AUTHENTICATION_DATE, ValidatedTicket
from bridge.cas.response.document import text_of
from bridge.cas.response.limits import ERROR_OF_CODE, check_user, decoded_name, merged, redact
from bridge.errors import BridgeError, ServiceRejected, TicketRejected, UpstreamError, UpstreamMalformed

# Servers write windows of 30 s and less; two clocks without NTP are easily further apart than that.
CLOCK_TOLERANCE_SECONDS = 60

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_PROTOCOL = "{urn:oasis:names:tc:SAML:1.0:protocol}"
_ASSERTION = "{urn:oasis:names:tc:SAML:1.0:assertion}"
_STATEMENTS = (f"{_ASSERTION}AuthenticationStatement", f"{_ASSERTION}AttributeStatement")
_CLOCKS = "check the clocks of CAS and of this server"
_CAS_CODE = re.compile(r"\b[A-Z]+_[A-Z_]+\b")
# Both servers that were read say it so; there is no code for it.
_OTHER_SERVICE = re.compile(r"does not match (?:\w+ )?service", re.I)


def is_soap(root: Element) -> bool:
    """Whether this is an envelope at all."""
    return root.tag == f"{_SOAP}Envelope"


def read_saml_response(root: Element, *, service: str, now: float) -> ValidatedTicket:
    """Whom the answer vouches for; see `bridge.cas.response.parse_validation` for what is raised."""
    body = _only(root, f"{_SOAP}Body")
    response = _only(body, f"{_PROTOCOL}Response")
    if len(body) != 1:
        raise UpstreamMalformed(detail=f"CAS answered SAML with {len(body)} elements in the Body; want one")
    # In the whole document: one beside the response, or below a failure, is none.
    assertions = [element for element in root.iter() if element.tag == f"{_ASSERTION}Assertion"]
    status = _only(response, f"{_PROTOCOL}Status")
    code = _only(status, f"{_PROTOCOL}StatusCode")
    if _code_name(code) != "Success":
        if assertions:
            raise UpstreamMalformed(detail="CAS answered a SAML failure with an assertion")
        raise _refusal(status)
    if list(code):
        raise UpstreamMalformed(detail="CAS answered a SAML success with another status inside")
    if len(assertions) != 1 or assertions[0] not in list(response):
        raise UpstreamMalformed(detail=f"CAS answered {len(assertions)} SAML assertions or a misplaced one; want one")
    assertion = assertions[0]
    _check_conditions(assertion, service, now)
    statement = _only(assertion, _STATEMENTS[0])
    attributes = merged(_named_values(assertion))
    if (instant := statement.get("AuthenticationInstant", "").strip()) and AUTHENTICATION_DATE not in attributes:
        attributes[AUTHENTICATION_DATE] = (instant,)
    return ValidatedTicket(user=_user(assertion), attributes=attributes)


def _refusal(status: Element) -> BridgeError:
    """By a code of CAS in the text where there is one, else by SAML's own codes: they hardly say what is wrong."""
    names = [_code_name(code) for code in status.iter(f"{_PROTOCOL}StatusCode")]
    text = " ".join("".join(status.itertext()).split())
    kind: type[BridgeError] = UpstreamError
    if known := [code for code in _CAS_CODE.findall(text) if code in ERROR_OF_CODE]:
        kind = ERROR_OF_CODE[known[0]]
    elif _OTHER_SERVICE.search(text) or names[-1] in ("VersionMismatch", "Requester"):
        kind = ServiceRejected
    elif names[-1] in ("RequestDenied", "AuthnFailed"):
        kind = TicketRejected
    return kind(detail=f"CAS refused with {redact(' '.join([*names, text]))}")


def _check_conditions(assertion: Element, service: str, now: float) -> None:
    conditions = _only(assertion, f"{_ASSERTION}Conditions")
    begins, ends = _moment(conditions, "NotBefore"), _moment(conditions, "NotOnOrAfter")
    if begins is not None and begins - now > CLOCK_TOLERANCE_SECONDS:
        raise UpstreamMalformed(detail=f"the SAML assertion begins in {begins - now:.0f} s; {_CLOCKS}")
    if ends is not None and now - ends >= CLOCK_TOLERANCE_SECONDS:
        raise UpstreamMalformed(detail=f"the SAML assertion ended {now - ends:.0f} s ago; {_CLOCKS}")
    restrictions = [element for element in conditions if element.tag == f"{_ASSERTION}AudienceRestrictionCondition"]
    for restriction in restrictions:  # each of them has to hold (§2.3.2.1.3), by any of its audiences
        if service not in [text_of(element) for element in restriction if element.tag == f"{_ASSERTION}Audience"]:
            raise UpstreamMalformed(detail="CAS answered a SAML assertion for another audience than this service")
    if not restrictions:
        raise UpstreamMalformed(detail="CAS answered a SAML assertion that names no audience")


def _moment(conditions: Element, name: str) -> int | None:
    text = conditions.get(name)
    if text is None:
        return None  # optional (§2.3.2.1): the ticket itself is good for seconds
    if (moment := parse_unix_seconds(text.strip(), zone_is_utc=True)) is None:
        raise UpstreamMalformed(detail=f"CAS answered a SAML assertion whose {name} is no date")
    return moment


def _user(assertion: Element) -> str:
    """The one name of the assertion: each statement repeats its subject, and all have to agree."""
    users: set[str] = set()
    for statement in assertion:
        if statement.tag in _STATEMENTS:
            name = _only(_only(statement, f"{_ASSERTION}Subject"), f"{_ASSERTION}NameIdentifier")
            user = text_of(name)
            if user is None:
                raise UpstreamMalformed(detail="the SAML NameIdentifier holds more than text")
            users.add(check_user(user, "the SAML NameIdentifier"))
    if len(users) != 1:
        raise UpstreamMalformed(detail=f"CAS answered SAML statements about {len(users)} users; want one")
    return users.pop()


def _named_values(assertion: Element) -> Iterator[tuple[str, str]]:
    for statement in assertion:
        if statement.tag == _STATEMENTS[1]:
            for attribute in statement:
                if attribute.tag == f"{_ASSERTION}Attribute":
                    yield from _values_of(attribute)


def _values_of(attribute: Element) -> Iterator[tuple[str, str]]:
    name = decoded_name(attribute.get("AttributeName", "").strip())
    for element in attribute:
        if element.tag == f"{_ASSERTION}AttributeValue" and (text := text_of(element)) is not None:
            yield name, text


def _only(parent: Element, tag: str) -> Element:
    found = [child for child in parent if child.tag == tag]
    if len(found) != 1:
        raise UpstreamMalformed(detail=f"CAS answered SAML with {len(found)} {tag.rpartition('}')[2]}; want one")
    return found[0]


def _code_name(code: Element) -> str:
    """The local name of a status: the prefix differs from server to server, and is often not declared."""
    return code.get("Value", "").strip().rpartition(":")[2]
