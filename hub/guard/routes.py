"""The calls that the guard admits: method, path and query.

A call is parsed strictly and built anew. Paths have no percent-encoding except in names of images, which are compared
as a whole. https://docs.docker.com/reference/api/engine/
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hub.guard.rules import RefusedError, Rules

# Older versions of the API have weaker defaults, such as the host's cgroup namespace before 1.41.
_VERSION = re.compile(r"/v1\.(?:4[1-9]|[5-9][0-9])(?=/)")
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
_TRUE_OR_FALSE, _FALSE = r"true|false|[01]", r"false|0"
LONG_TIMEOUT, TIMEOUT = 900.0, 55.0  # seconds; less than the hub waits, so that it gets the error


@dataclass(frozen=True)
class Route:
    """A call: its action, and the values that its query may have."""

    action: str
    method: str
    path: str
    query: Mapping[str, str]
    timeout: float = TIMEOUT


ROUTES = (
    Route("ping", "GET", r"/_ping", {}),
    Route("version", "GET", r"/version", {}),
    Route("inspect image", "GET", r"/images/(?P<name>.+)/json", {}),
    Route("list containers", "GET", r"/containers/json", {
        **{"limit": "-1", "all": "[01]", "size": "0", "trunc_cmd": "0"}, "filters": r"\{.{1,300}\}",
    }),
    Route("create container", "POST", r"/containers/create", {"name": _NAME}),
    Route("inspect container", "GET", rf"/containers/{_NAME}/json", {}),
    Route("use container", "POST", rf"/containers/{_NAME}/start", {}),
    Route("use container", "POST", rf"/containers/{_NAME}/stop", {"t": r"[0-9]{1,3}"}),
    Route("use container", "POST", rf"/containers/{_NAME}/wait", {}, LONG_TIMEOUT),
    Route("use container", "GET", rf"/containers/{_NAME}/logs", {
        **dict.fromkeys(("stdout", "stderr"), "[01]"), "timestamps": "0", "follow": "0", "tail": r"all|[0-9]{1,4}",
    }),
    Route("use container", "DELETE", rf"/containers/{_NAME}", {
        "v": _TRUE_OR_FALSE, "force": _TRUE_OR_FALSE, "link": _FALSE,
    }),
    Route("list volumes", "GET", r"/volumes", {"filters": r"\{.{1,300}\}"}),
    Route("create volume", "POST", r"/volumes/create", {}),
    Route("inspect volume", "GET", rf"/volumes/{_NAME}", {}),
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """An admitted call, without its body; `name` is that of the container, image or volume."""

    route: Route
    version: str
    path: str
    name: str
    query: Mapping[str, str]

    def target(self, path: str) -> str:
        """Return the request target for the engine."""
        query = urlencode(self.query)
        return f"{self.version}{path}{f'?{query}' if query else ''}"


def parse_call(method: str, target: str, rules: Rules) -> Call:
    """Return the call.

    Raises:
        RefusedError: The call is not in the table, or its path, query or version is not admitted.
    """
    whole, mark, query_text = target.partition("?")
    version = found[0] if (found := _VERSION.match(whole)) else ""
    path = whole[len(version) :]
    for route in ROUTES:
        if route.method == method and (match := re.fullmatch(route.path, path)):
            if not version and route.action not in ("ping", "version"):
                raise RefusedError("the version of the API is missing or not admitted")
            name = match.groupdict().get("name", "")
            if route.action == "inspect image" and name not in rules.image_paths():
                raise RefusedError("the image is not one of the settings")
            if route.action == "inspect volume" and not rules.owns_volume(name):
                raise RefusedError("the volume is not one of this deployment")
            query = _parse_query(query_text, route) if mark else {}
            return Call(route, version, path, name, _check_filters(query, route, rules))
    raise RefusedError("the call is not admitted")


def _parse_query(text: str, route: Route) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError:
        raise RefusedError("the query is malformed") from None
    query = {name: value.lower() if value in ("True", "False") else value for name, value in pairs}
    if len(query) != len(pairs):
        raise RefusedError("a parameter of the query is repeated")
    for name, value in query.items():
        if name not in route.query or not re.fullmatch(route.query[name], value):
            raise RefusedError(f"the query has {name[:40]!r} with a value that is not admitted")
    return query


def _check_filters(query: dict[str, str], route: Route, rules: Rules) -> dict[str, str]:
    """Require the filter of a list, so that the hub sees nothing of other deployments."""
    kind = route.action.removeprefix("list ")
    if kind == route.action:
        return query
    filters = parse_json(query.get("filters", "").encode())
    if filters not in rules.list_filters()[kind]:
        raise RefusedError("the list has no filter for this deployment")
    return query | {"filters": json.dumps(filters)}


def parse_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        RefusedError: It is not JSON in UTF-8, or an object has a key twice: parsers disagree about which one wins.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise RefusedError("the JSON has a key twice")
        return found

    def reject(constant: str) -> None:
        raise RefusedError(f"the JSON has the number {constant}")

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=reject)
    except (ValueError, RecursionError):
        raise RefusedError("the body or filter is not JSON") from None
