"""Request parameters: one value each, none twice (RFC 6749 §3.1, §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NewType

from bridge.errors import InvalidRequest

# What came twice, and with which values, is all that a check may need of the raw request.
Parameters = NewType("Parameters", dict[str, str])


def single_values(pairs: Iterable[tuple[str, str]]) -> tuple[Parameters, tuple[str, ...]]:
    """The parameters that came with a value, and the names of those that came more than once.

    An empty value counts as absent (RFC 6749 §3.1); of a repeated parameter the first value is kept, so that
    whoever reports the fault can still find the client.
    """
    values: dict[str, str] = {}
    repeated: dict[str, None] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            repeated[name] = None
        seen.add(name)
        if value:
            values.setdefault(name, value)
    return Parameters(values), tuple(repeated)


def check_not_repeated(repeated: Iterable[str], known: Iterable[str]) -> None:
    """Unknown parameters are ignored, even when they come twice."""
    if names := [name for name in repeated if name in set(known)]:
        raise InvalidRequest(f"Send the parameter {names[0]} once; it came several times.")


def required(parameters: Mapping[str, str], name: str) -> str:
    """The value of a parameter that has to be there."""
    if value := parameters.get(name):
        return value
    raise InvalidRequest(f"The parameter {name} is missing.")
