"""Request parameters: one value for each, none repeated (RFC 6749 §3.1, §3.2)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NewType
from urllib.parse import urlencode

from bridge.errors.oauth import InvalidRequest

Parameters = NewType("Parameters", dict[str, str])


def single_values(pairs: Iterable[tuple[str, str]]) -> tuple[Parameters, tuple[str, ...]]:
    """Return the values of a request, and the names that were sent more than once.

    An empty value counts as absent (RFC 6749 §3.1). The first value of a repeated parameter is kept, because the
    error response needs the client and its redirect URI.
    """
    sent = list(pairs)
    counts = Counter(name for name, _ in sent)
    values = {name: value for name, value in reversed(sent) if value}
    return Parameters(values), tuple(name for name, count in counts.items() if count > 1)


def check_not_repeated(repeated: Iterable[str], known: Iterable[str]) -> None:
    """Reject repeated parameters; unknown ones are ignored, even when repeated."""
    if names := [name for name in repeated if name in set(known)]:
        raise InvalidRequest(f"The parameter {names[0]} was sent more than once.")


def required(parameters: Mapping[str, str], name: str) -> str:
    """Return the value of a required parameter."""
    if value := parameters.get(name):
        return value
    raise InvalidRequest(f"The parameter {name} is missing.")


def add_query(uri: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to the query of a URI, whose own query is kept byte for byte."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"
