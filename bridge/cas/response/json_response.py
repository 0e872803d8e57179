"""The JSON of CAS 3.0 (§2.5.7): the same facts, with none of XML's second readings but a few of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.limits import check_user, merged, proxied, refusal
from bridge.errors import UpstreamMalformed

# What XML 1.0 §2.2 does not allow either. Lone surrogates cannot be written down at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Number(str):
    """A number as it was written: attributes are text, and converting thousands of digits costs dearly."""

    __slots__ = ()


def read_json_response(text: str) -> ValidatedTicket:
    """Whom the answer vouches for; see `bridge.cas.response.parse_validation` for what is raised."""
    response = _object(_read(text).get("serviceResponse"), "serviceResponse")
    success, failure = response.get("authenticationSuccess"), response.get("authenticationFailure")
    if (success is None) is (failure is None):
        raise UpstreamMalformed(detail="CAS answered JSON with no outcome, or with two; want one")
    if failure is not None:
        failed = _object(failure, "authenticationFailure")
        code, description = (_text(failed, name) for name in ("code", "description"))
        raise refusal(code.strip(), description)
    succeeded = _object(success, "authenticationSuccess")
    if succeeded.get("proxies"):
        raise proxied()
    attributes = succeeded.get("attributes")
    return ValidatedTicket(
        user=check_user(_text(succeeded, "user"), "user"),
        attributes=merged(() if attributes is None else _named_values(_object(attributes, "attributes"))),
    )


def _read(text: str) -> dict[str, Any]:
    try:
        document = json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise UpstreamMalformed(detail="CAS answered JSON that is nested too deeply") from None
    except ValueError as error:
        # Without its text, which can quote the answer.
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise UpstreamMalformed(detail=f"CAS answered broken JSON{position}") from None
    return _object(document, "the answer")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that comes twice, readers take the first or the last: whoever wrote the second meant to be read."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UpstreamMalformed(detail="CAS answered JSON that says a name twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _object(value: Any, called: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamMalformed(detail=f"CAS answered JSON in which {called} is missing or no object")
    return value


def _text(container: dict[str, Any], name: str) -> str:
    value = container.get(name, "")
    if not isinstance(value, str) or isinstance(value, _Number):
        raise UpstreamMalformed(detail=f"CAS answered JSON in which {name} is no text")
    return value


def _named_values(attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Scalars and lists of them. A value with structure is left out, as it is in XML."""
    for name, value in attributes.items():
        for scalar in value if isinstance(value, list) else (value,):
            if isinstance(scalar, bool):
                yield name, str(scalar).lower()
            elif isinstance(scalar, str):
                if _NO_TEXT.search(scalar):
                    raise UpstreamMalformed(detail="CAS released an attribute value with control characters")
                yield name, str(scalar.strip())
