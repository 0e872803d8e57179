"""The XML of CAS 2.0 and 3.0: `cas:serviceResponse` (CAS 3.0 §2.5.2 and appendix A)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element  # a type; nothing is parsed with it

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.document import local_name, text_of
from bridge.cas.response.limits import check_user, decoded_name, merged, proxied, refusal
from bridge.errors import UpstreamMalformed

_NAMESPACE = "{http://www.yale.edu/tp/cas}"
_SUCCESS, _FAILURE = f"{_NAMESPACE}authenticationSuccess", f"{_NAMESPACE}authenticationFailure"
_ATTRIBUTE_WRAPPERS = ("attributes", "norEduPerson")
# Children of a success that are never attributes. `attraStyle` only names the style of the others.
_NOT_ATTRIBUTES = ("user", "proxyGrantingTicket", "proxies", "attraStyle")


def read_service_response(root: Element) -> ValidatedTicket:
    """Whom the answer vouches for; see `bridge.cas.response.parse_validation` for what is raised."""
    outcome = _only_outcome(root)
    if outcome.tag == _FAILURE:
        raise refusal(outcome.get("code", "").strip(), "".join(outcome.itertext()))
    _check_not_proxied(outcome)
    return ValidatedTicket(user=_user(outcome), attributes=merged(_named_values(outcome)))


def _only_outcome(root: Element) -> Element:
    if root.tag != f"{_NAMESPACE}serviceResponse":
        raise UpstreamMalformed(detail="CAS answered XML that is no cas:serviceResponse")
    outcomes = [element for element in root.iter() if element.tag in (_SUCCESS, _FAILURE)]
    # One in the whole document, not one of each kind: a success beside or inside a failure is no success.
    if len(outcomes) != 1 or outcomes[0] not in list(root):
        raise UpstreamMalformed(detail=f"CAS answered {len(outcomes)} outcomes or a misplaced one; want one")
    return outcomes[0]


def _check_not_proxied(success: Element) -> None:
    for child in success:
        if local_name(child) == "proxies" and (len(child) or text_of(child)):
            raise proxied()


def _user(success: Element) -> str:
    users = [child for child in success if local_name(child) == "user"]
    if len(users) != 1 or users[0].tag != f"{_NAMESPACE}user":
        raise UpstreamMalformed(detail=f"CAS answered {len(users)} cas:user elements in place of one")
    user = text_of(users[0])
    if user is None:
        raise UpstreamMalformed(detail="cas:user holds more than text")
    return check_user(user, "cas:user")


def _named_values(success: Element) -> Iterator[tuple[str, str]]:
    for child in success:
        name = local_name(child)
        if name in _ATTRIBUTE_WRAPPERS:
            for attribute in child:
                yield from _read_attribute(attribute, local_name(attribute))
        elif name not in _NOT_ATTRIBUTES:
            yield from _read_attribute(child, name)


def _read_attribute(element: Element, name: str) -> Iterator[tuple[str, str]]:
    """One attribute in any of its shapes: <mail>v</mail>, <attribute name value/>, or name and value inside.

    A value that is not plain text is left out: what it would be without its markup is a guess.
    """
    if name == "attribute" and element.get("name") is not None:
        yield decoded_name(element.get("name", "").strip()), element.get("value", text_of(element) or "").strip()
    elif name == "attribute" and len(element):
        parts = [(local_name(part), text_of(part)) for part in element]
        names = [text for part, text in parts if part == "name" and text]
        if len(names) == 1:
            yield from ((decoded_name(names[0]), text) for part, text in parts if part == "value" and text is not None)
    elif (text := text_of(element)) is not None:
        yield decoded_name(name), text
