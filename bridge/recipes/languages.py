"""How a value is written inside the quotes of each language that configurations are written in. Pure.

The texts of the recipes have the quotes, `"{client_id}"`; what is made here goes between them. A language that has no
dependable quoting takes plain values only: `holds` says so before anything is registered.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

_PLAIN = re.compile(r"[A-Za-z0-9._~:/@+?&=%\[\]-]*( [A-Za-z0-9._~:/@+-]+)*")


def _in_json(value: str) -> str:
    """Also what stands between double quotes in Python, JavaScript, TOML and YAML."""
    return json.dumps(value)[1:-1]


def _in_ruby(value: str) -> str:
    """Between double quotes, where `#` begins an interpolation."""
    return _in_json(value).replace("#", "\\#")


def _in_php(value: str) -> str:
    """Between single quotes, where nothing else is special."""
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _in_shell(value: str) -> str:
    """Between single quotes, which know no escape: they are ended and begun again."""
    return value.replace("'", "'\\''")


def _in_apache(value: str) -> str:
    """Between double quotes. What looks like a variable of its own is refused by `holds`."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _in_html(value: str) -> str:
    """As text, or between quotes of an attribute."""
    return html.escape(value)


def _as_it_is(value: str) -> str:
    return value


ESCAPES: dict[str, Callable[[str], str]] = {
    "python": _in_json,
    "javascript": _in_json,
    "json": _in_json,
    "toml": _in_json,
    "yaml": _in_json,
    "ruby": _in_ruby,
    "php": _in_php,
    "shell": _in_shell,
    "apache": _in_apache,
    "html": _in_html,
    "ini": _as_it_is,
    "env": _as_it_is,
    "form": _as_it_is,
}
PLAIN_ONLY = frozenset({"ini", "env"})


def escaped(language: str, value: str) -> str:
    """The value as it stands between the quotes of that language."""
    return ESCAPES[language](value)


def holds(language: str, value: str) -> bool:
    """Whether a configuration in that language can have this value in it at all."""
    if language in PLAIN_ONLY:
        return _PLAIN.fullmatch(value) is not None
    return language != "apache" or "${" not in value
