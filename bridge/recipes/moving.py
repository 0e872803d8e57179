"""An application that moved: where it was, what it is registered with now, and what of its configuration changes. Pure.

Nobody keeps which recipe a client was made with, nor at which address: the first is asked for, and the second is read
off the redirect URIs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from bridge.recipes.addresses import application_url
from bridge.recipes.filling import client_facts
from bridge.recipes.model import ADDRESS_NAMES, Block, Recipe, names_in
from bridge.settings import ClientSettings

ADDRESSES = ("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri")
_SHAPES = {"url": ".+", "host": "[^/]+", "path": "/.*"}
_IN_TEXTS = frozenset({*ADDRESS_NAMES, "logout_url", "logout_url_encoded"})


def moved_facts(recipe: Recipe, client: ClientSettings, old: str | None, url: str) -> dict[str, Any]:
    """The addresses of the client, of the fields of `ClientSettings` that they are in.

    :param old: as `old_address` found it; then those of the recipe and all below the old address move along, and what
        is elsewhere stays. Without it the client gets those that the recipe has.
    """
    there = client_facts(recipe, url)
    if old is None:
        return {name: there[name] for name in ADDRESSES if name in there}
    here = client_facts(recipe, old)
    return {
        name: _moved(value, here.get(name, ()), there.get(name, ()), (old, url))
        for name in ADDRESSES
        if (value := getattr(client, name))
    }


def _moved(value: Any, here: Any, there: Any, way: tuple[str, str]) -> Any:
    """One field, of which the recipe says this here and that there; what somebody added goes the way as well."""
    if value == here:
        return there
    if isinstance(value, tuple):
        pairs = dict(zip(here, there, strict=True))
        return tuple(pairs.get(each) or _moved(each, "", "", way) for each in value)
    old, url = way
    is_below = value == old or value.startswith((f"{old}/", f"{old}?"))
    return f"{url}{value[len(old) :]}" if is_below else value


def old_address(recipe: Recipe, redirect_uris: Sequence[str]) -> str | None:
    """Where the application was for the recipe to register these; None for nowhere."""
    known = set(redirect_uris)

    def explains(url: str) -> int:
        return len(known.intersection(client_facts(recipe, url)["redirect_uris"]))

    return max(dict.fromkeys(_candidates(recipe, redirect_uris)), key=explains, default=None)


def lines_with_address(recipe: Recipe) -> Recipe:
    """The recipe with those lines of its configuration alone that change with the address, each as a whole."""
    blocks = tuple(cut for block in recipe.blocks if (cut := _cut(block)).text)
    return recipe.model_copy(update={"blocks": blocks, "then": recipe.then if _has_address(recipe.then) else ""})


def _candidates(recipe: Recipe, redirect_uris: Sequence[str]) -> Iterator[str]:
    """Every address that a template can be read for; of a template with the host alone, without a path."""
    for template in recipe.client.redirect_uris:
        pattern = re.escape(template)
        for name, shape in _SHAPES.items():
            pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>{shape})", 1)
        for uri in redirect_uris:
            found = match.groupdict() if (match := re.fullmatch(pattern, uri)) else {}
            url = found.get("url") or f"{urlsplit(uri).scheme}://{found.get('host', '')}"
            if _is_address(url):
                yield url


def _is_address(text: str) -> bool:
    try:
        return application_url(text) == text
    except ValueError:
        return False


def _cut(block: Block) -> Block:
    lines = [line.rstrip() for line in block.text.splitlines() if _has_address(line)]
    return block.model_copy(update={"text": "\n".join(lines)})


def _has_address(text: str) -> bool:
    return not _IN_TEXTS.isdisjoint(names_in(text))
