"""Parser for CAS 3.0 JSON responses (§2.5.7)."""

import json
import re
from collections.abc import Iterator
from typing import Any

from bridge.cas.protocol import ValidatedTicket
from bridge.cas.response.limits import (
    JSON_MARKS_MAX,
    check_marks,
    check_user,
    decode_name,
    failure_error,
    merge_attributes,
    proxied_login_error,
)
from bridge.errors import UpstreamMalformed

# The characters that XML 1.0 §2.2 forbids, and lone surrogates, which no encoding can represent.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Number(str):
    """A number as text: attributes are text, and converting thousands of digits is slow."""

    __slots__ = ()


def parse_json_response(text: str) -> ValidatedTicket:
    """Parse a response; see `bridge.cas.response.parse_validation` for the errors."""
    response = _object(_read(text).get("serviceResponse"), "serviceResponse")
    success, failure = response.get("authenticationSuccess"), response.get("authenticationFailure")
    if (success is None) is (failure is None):
        raise UpstreamMalformed(
            detail="the JSON of CAS must have exactly one of authenticationSuccess and authenticationFailure"
        )
    if failure is not None:
        outcome = _object(failure, "authenticationFailure")
        code, description = (_text(outcome, name) for name in ("code", "description"))
        raise failure_error(code.strip(), description)
    outcome = _object(success, "authenticationSuccess")
    if outcome.get("proxies"):
        raise proxied_login_error()
    attributes = outcome.get("attributes")
    return ValidatedTicket(
        user=check_user(_text(outcome, "user"), "user"),
        attributes=merge_attributes(() if attributes is None else _named_values(_object(attributes, "attributes"))),
    )


def _read(text: str) -> dict[str, Any]:
    check_marks(text, "[{,", JSON_MARKS_MAX)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_reject_duplicates,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_reject_constant,
        )
    except RecursionError:
        raise UpstreamMalformed(detail="the JSON of CAS is nested too deeply") from None
    except ValueError as error:
        # The text is omitted, because it can quote the response.
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise UpstreamMalformed(detail=f"the JSON of CAS is not valid{position}") from None
    return _object(document, "the response")


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys: parsers disagree about which one wins."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UpstreamMalformed(detail="the JSON of CAS repeats a key in one object")
    return found


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(value: Any, label: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamMalformed(detail=f"{label} is missing from the JSON of CAS or not an object")
    return value


def _text(container: dict[str, Any], name: str) -> str:
    value = container.get(name, "")
    if not isinstance(value, str) or isinstance(value, _Number):
        raise UpstreamMalformed(detail=f"{name} in the JSON of CAS is not a string")
    return value


def _named_values(attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield scalars and lists of scalars; structured values are ignored, as in XML."""
    for key, value in attributes.items():
        name = decode_name(key)
        for scalar in value if isinstance(value, list) else (value,):
            if isinstance(scalar, bool):
                yield name, str(scalar).lower()
            elif isinstance(scalar, str):
                if _NO_TEXT.search(scalar):
                    raise UpstreamMalformed(detail="CAS released an attribute value with control characters")
                yield name, str(scalar.strip())
