"""Jinja2 templates of recipes, with automatic escaping for the language of each configuration.

A recipe writes the quotes itself, as in `"{{ client_id }}"`; the value is escaped to stay between them. Languages
without dependable quoting accept plain values only. Recipes may come from a file of the administrator's own, so
templates run in Jinja2's sandbox.
"""

import html
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.errors import ClientCommandError

_PLAIN = re.compile(r"[A-Za-z0-9._~:/@+?&=%\[\]-]*( [A-Za-z0-9._~:/@+-]+)*")


class RecipeError(ClientCommandError):
    """A recipe that is missing, invalid, or unusable for this client."""


def _plain(value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise ValueError
    return value


def _apache(value: str) -> str:
    if "${" in value:  # Apache expands variables even between quotes
        raise ValueError
    return value.replace("\\", "\\\\").replace('"', '\\"')


ESCAPES: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(
        ("python", "javascript", "json", "toml", "yaml"), lambda value: json.dumps(value)[1:-1]
    ),  # in double quotes
    "ruby": lambda value: json.dumps(value)[1:-1].replace("#", "\\#"),  # in double quotes, # starts an interpolation
    "php": lambda value: value.replace("\\", "\\\\").replace("'", "\\'"),  # in single quotes
    "shell": lambda value: value.replace("'", "'\\''"),  # in single quotes: close them, add a quote, reopen them
    "apache": _apache,
    "html": html.escape,
    **dict.fromkeys(("ini", "env"), _plain),
    "form": str,
}
"""One escaping function for each language. It raises ValueError if the language cannot hold the value."""


def escape(language: str, value: Any) -> str:
    """Escape a value, or raise `RecipeError`; write a list as double-quoted items with commas between them."""
    if isinstance(value, tuple | list):
        return ", ".join(f'"{escape(language, item)}"' for item in value)
    if callable(value) and not isinstance(value, StrictUndefined):
        raise RecipeError("The recipe has a function without parentheses: write {{ random() }}.")
    try:
        return ESCAPES[language](str(value))
    except ValueError:
        raise RecipeError(
            f"A configuration in this language ({language}) cannot hold the value {value!r}. "
            "Choose another client id with --id, or register without --recipe."
        ) from None


@cache
def _environment(language: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=lambda value: escape(language, value), keep_trailing_newline=True
    )
    environment.globals.clear()
    return environment


@cache
def _template(text: str, language: str) -> Template:
    return _environment(language).from_string(text)


@cache
def variables_in(text: str) -> frozenset[str]:
    """Return the names of the placeholders in a template, or raise `ValueError` if it is invalid."""
    try:
        _template(text, "form")
        return frozenset(meta.find_undeclared_variables(_environment("form").parse(text)))
    except TemplateError as error:
        raise ValueError(f"not a valid Jinja2 template: {error.message}") from None


def render(text: str, language: str, values: Mapping[str, Any]) -> str:
    """Render a template, with each value escaped for the language, or raise `RecipeError`."""
    if "%" in values.get("path", "") and "path" in variables_in(text):
        # Apache decodes each % before it compares a path, mod_auth_openidc does not: the path would be unprotected.
        raise RecipeError(
            f"The path {values['path']} contains a %, so it would stay open without a sign-in. "
            "Serve the application below a path of letters, digits, '-' and '_'."
        )
    try:
        return _template(text, language).render(values)
    except RecipeError:
        raise
    except Exception as error:  # noqa: BLE001  a template of an administrator's own can raise anything
        raise RecipeError(f"The recipe has a template that cannot be rendered: {str(error).rstrip('.')}.") from None
