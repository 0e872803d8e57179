"""Parser for SAML 1.1 responses of `/samlValidate` (CAS 3.0 §4.2, SAML 1.1 core).

Responses are unsigned; TLS authenticates CAS. The conditions are checked nevertheless, so that a response for another
service or time is rejected.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.cas.protocol import AUTHENTICATION_DATE, ValidatedTicket, parse_unix_seconds
from bridge.cas.response.limits import ERROR_OF_CODE, check_user, decode_name, merge_attributes, redact, text_of
from bridge.errors import BridgeError, ServiceRejected, TicketRejected, UpstreamError, UpstreamMalformed

# Servers write windows of 30 s and less, and clocks without NTP differ by more than that.
CLOCK_TOLERANCE_SECONDS = 60

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
SOAP_ENVELOPE = f"{_SOAP}Envelope"
_PROTOCOL = "{urn:oasis:names:tc:SAML:1.0:protocol}"
_ASSERTION = "{urn:oasis:names:tc:SAML:1.0:assertion}"
_STATEMENTS = (f"{_ASSERTION}AuthenticationStatement", f"{_ASSERTION}AttributeStatement")
_CLOCKS = "check the clocks of CAS and of this server"
_CAS_CODE = re.compile(r"\b[A-Z]+_[A-Z_]+\b")
# Known servers report this in a sentence; SAML has no code for it.
_OTHER_SERVICE = re.compile(r"does not match (?:\w+ )?service", re.I)


def parse_saml_response(root: Element, *, service: str, now: float) -> ValidatedTicket:
    """Parse a response; see `bridge.cas.response.parse_validation` for the errors."""
    body = _only(root, f"{_SOAP}Body")
    response = _only(body, f"{_PROTOCOL}Response")
    if len(body) != 1:
        raise UpstreamMalformed(detail=f"the SAML Body of CAS has {len(body)} elements, expected one")
    # Searched in the whole document, so that an assertion outside the response or in a failure is rejected.
    assertions = [element for element in root.iter() if element.tag == f"{_ASSERTION}Assertion"]
    status = _only(response, f"{_PROTOCOL}Status")
    code = _only(status, f"{_PROTOCOL}StatusCode")
    if _code_name(code) != "Success":
        if assertions:
            raise UpstreamMalformed(detail="the SAML failure of CAS has an assertion")
        raise _failure_error(status)
    if list(code):
        raise UpstreamMalformed(detail="the SAML success of CAS has a nested status")
    if len(assertions) != 1 or assertions[0] not in list(response):
        raise UpstreamMalformed(detail=f"{len(assertions)} SAML assertions or a misplaced one, expected one")
    assertion = assertions[0]
    _check_conditions(assertion, service, now)
    statement = _only(assertion, _STATEMENTS[0])
    attributes = merge_attributes(_named_values(assertion))
    if (instant := statement.get("AuthenticationInstant", "").strip()) and AUTHENTICATION_DATE not in attributes:
        attributes[AUTHENTICATION_DATE] = (instant,)
    return ValidatedTicket(user=_user(assertion), attributes=attributes)


def _failure_error(status: Element) -> BridgeError:
    """Map a failure by a CAS code in its text, or else by its SAML codes, which are less specific."""
    names = [_code_name(code) for code in status.iter(f"{_PROTOCOL}StatusCode")]
    text = " ".join("".join(status.itertext()).split())
    kind: type[BridgeError] = UpstreamError
    if known := [code for code in _CAS_CODE.findall(text) if code in ERROR_OF_CODE]:
        kind = ERROR_OF_CODE[known[0]]
    elif _OTHER_SERVICE.search(text) or names[-1] in ("VersionMismatch", "Requester"):
        kind = ServiceRejected
    elif names[-1] in ("RequestDenied", "AuthnFailed"):
        kind = TicketRejected
    return kind(detail=f"CAS returned {redact(' '.join([*names, text]))}")


def _check_conditions(assertion: Element, service: str, now: float) -> None:
    conditions = _only(assertion, f"{_ASSERTION}Conditions")
    begins, ends = _moment(conditions, "NotBefore"), _moment(conditions, "NotOnOrAfter")
    if begins is not None and begins - now > CLOCK_TOLERANCE_SECONDS:
        raise UpstreamMalformed(detail=f"the SAML assertion becomes valid in {begins - now:.0f} s; {_CLOCKS}")
    if ends is not None and now - ends >= CLOCK_TOLERANCE_SECONDS:
        raise UpstreamMalformed(detail=f"the SAML assertion expired {now - ends:.0f} s ago; {_CLOCKS}")
    restrictions = [element for element in conditions if element.tag == f"{_ASSERTION}AudienceRestrictionCondition"]
    for restriction in restrictions:  # every restriction must name the service among its audiences (§2.3.2.1.3)
        if service not in [text_of(element) for element in restriction if element.tag == f"{_ASSERTION}Audience"]:
            raise UpstreamMalformed(detail="the SAML assertion is for another audience")
    if not restrictions:
        raise UpstreamMalformed(detail="the SAML assertion has no audience")


def _moment(conditions: Element, name: str) -> int | None:
    text = conditions.get(name)
    if text is None:
        return None  # optional (§2.3.2.1), and the ticket itself expires within seconds
    if (moment := parse_unix_seconds(text.strip(), zone_is_utc=True)) is None:
        raise UpstreamMalformed(detail=f"{name} of the SAML assertion is not a date")
    return moment


def _user(assertion: Element) -> str:
    """Return the user, on whom the subjects of all statements must agree."""
    users: set[str] = set()
    for statement in assertion:
        if statement.tag in _STATEMENTS:
            user = text_of(_only(_only(statement, f"{_ASSERTION}Subject"), f"{_ASSERTION}NameIdentifier"))
            if user is None:
                raise UpstreamMalformed(detail="the SAML NameIdentifier has child elements")
            users.add(check_user(user, "the SAML NameIdentifier"))
    if len(users) != 1:
        raise UpstreamMalformed(detail=f"the SAML statements name {len(users)} users, expected one")
    return users.pop()


def _named_values(assertion: Element) -> Iterator[tuple[str, str]]:
    for statement in (element for element in assertion if element.tag == _STATEMENTS[1]):
        for attribute in (element for element in statement if element.tag == f"{_ASSERTION}Attribute"):
            name = decode_name(attribute.get("AttributeName", "").strip())
            for value in attribute:
                if value.tag == f"{_ASSERTION}AttributeValue" and (text := text_of(value)) is not None:
                    yield name, text


def _only(parent: Element, tag: str) -> Element:
    found = [child for child in parent if child.tag == tag]
    if len(found) != 1:
        raise UpstreamMalformed(
            detail=f"the SAML of CAS has {len(found)} {tag.rpartition('}')[2]} elements, expected one"
        )
    return found[0]


def _code_name(code: Element) -> str:
    """Return the local name of a status code; its prefix varies and is often undeclared."""
    return code.get("Value", "").strip().rpartition(":")[2]
