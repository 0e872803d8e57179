"""Parser for `cas:serviceResponse`, the XML of CAS 2.0 and 3.0 (CAS 3.0 §2.5.2 and appendix A)."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.limits import (
    check_user,
    decode_name,
    failure_error,
    merge_attributes,
    proxied_login_error,
    text_of,
)
from bridge.errors import UpstreamMalformed

_NAMESPACE = "{http://www.yale.edu/tp/cas}"
_SUCCESS, _FAILURE = f"{_NAMESPACE}authenticationSuccess", f"{_NAMESPACE}authenticationFailure"
_ATTRIBUTE_WRAPPERS = ("attributes", "norEduPerson")
# Children of a success that are not attributes. `attraStyle` names the style of the others.
_NOT_ATTRIBUTES = ("user", "proxyGrantingTicket", "proxies", "attraStyle")


def parse_service_response(root: Element) -> ValidatedTicket:
    """Parse a response; see `bridge.cas.response.parse_validation` for the errors."""
    outcome = _only_outcome(root)
    if outcome.tag == _FAILURE:
        raise failure_error(outcome.get("code", "").strip(), "".join(outcome.itertext()))
    if any(_local_name(child) == "proxies" and (len(child) or text_of(child)) for child in outcome):
        raise proxied_login_error()
    return ValidatedTicket(user=_user(outcome), attributes=merge_attributes(_named_values(outcome)))


def _only_outcome(root: Element) -> Element:
    if root.tag != f"{_NAMESPACE}serviceResponse":
        raise UpstreamMalformed(detail="the XML of CAS is not a cas:serviceResponse")
    outcomes = [element for element in root.iter() if element.tag in (_SUCCESS, _FAILURE)]
    # Searched in the whole document, so that a success beside or inside a failure is rejected.
    if len(outcomes) != 1 or outcomes[0] not in list(root):
        raise UpstreamMalformed(detail=f"{len(outcomes)} outcomes or a misplaced one, expected one")
    return outcomes[0]


def _user(success: Element) -> str:
    users = [child for child in success if _local_name(child) == "user"]
    if len(users) != 1 or users[0].tag != f"{_NAMESPACE}user":
        raise UpstreamMalformed(detail=f"{len(users)} cas:user elements, expected one")
    user = text_of(users[0])
    if user is None:
        raise UpstreamMalformed(detail="cas:user has child elements")
    return check_user(user, "cas:user")


def _named_values(success: Element) -> Iterator[tuple[str, str]]:
    for child in success:
        name = _local_name(child)
        if name in _ATTRIBUTE_WRAPPERS:
            for attribute in child:
                yield from _read_attribute(attribute, _local_name(attribute))
        elif name not in _NOT_ATTRIBUTES:
            yield from _read_attribute(child, name)


def _read_attribute(element: Element, name: str) -> Iterator[tuple[str, str]]:
    """Yield the values of an attribute, in any of the three notations.

    These are `<mail>v</mail>`, `<attribute name value/>`, and `<attribute>` with child elements. A value with markup is
    dropped, because its text without markup would be a guess.
    """
    if name == "attribute" and element.get("name") is not None:
        yield decode_name(element.get("name", "").strip()), element.get("value", text_of(element) or "").strip()
    elif name == "attribute" and len(element):
        parts = [(_local_name(part), text_of(part)) for part in element]
        names = [text for part, text in parts if part == "name" and text]
        if len(names) == 1:
            yield from ((decode_name(names[0]), text) for part, text in parts if part == "value" and text is not None)
    elif (text := text_of(element)) is not None:
        yield decode_name(name), text


def _local_name(element: Element) -> str:
    """Return the name without its namespace, or an empty string for comments and processing instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
