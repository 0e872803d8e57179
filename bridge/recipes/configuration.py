"""Recipes filled with the values of one client, at its first URL or after a move to another one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bridge.recipes.application_url import application_url
from bridge.recipes.model import Recipe
from bridge.recipes.templates import render
from bridge.settings import ClientSettings

_RANDOM_TEXT = partial(secrets.token_hex, 16)  # 32 hexadecimal digits, the length of an AES-256 key as text
ADDRESS_FIELDS = ("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri")
UNCHANGED = "UNCHANGED"
"""Stands in the printed lines for secrets that the application keeps and that the bridge does not know."""
_OTHER_URL = "https://other.invalid/-"
_URL_PATTERNS = {"url": ".+", "host": "[^/]+", "path": "/.*"}


def client_facts(recipe: Recipe, url: str | None) -> dict[str, Any]:
    """Return the `ClientSettings` fields that the recipe sets for an application at this URL, without defaults."""
    facts = recipe.client.model_dump(exclude={"public"}, exclude_defaults=True)
    values = _url_values(url)
    for name in facts.keys() & set(ADDRESS_FIELDS):
        is_list = isinstance(facts[name], tuple)
        rendered = tuple(render(text, "form", values) for text in (facts[name] if is_list else [facts[name]]))
        facts[name] = rendered if is_list else rendered[0]
    return facts


def fill_recipe(
    recipe: Recipe,
    client: ClientSettings,
    *,
    issuer: str,
    client_secret: str | None,
    url: str | None,
    random: Callable[[], str] = _RANDOM_TEXT,
) -> Recipe:
    """Return the recipe with every placeholder replaced, each value escaped for the language of its block.

    Args:
        recipe: The recipe of the application.
        client: The registered client.
        issuer: The public URL of the bridge.
        client_secret: The secret; None for a public client.
        url: The application's URL; None for a program without one.
        random: Returns a new secret of the application for each place that needs one.

    Raises:
        RecipeError: If a language cannot hold a value.
    """
    logout_url = _logout_url(issuer, client)
    values = {
        "issuer": issuer,
        "issuer_host": urlsplit(issuer).netloc,
        "client_id": client.client_id,
        "client_secret": client_secret or "",
        "scopes": " ".join(client.scopes),
        "scope_list": client.scopes,
        "logout_url": logout_url,
        "logout_url_encoded": quote(logout_url, safe=""),
        "random": random,
        **_url_values(url),
    }
    blocks = (block.model_copy(update={"text": render(block.text, block.language, values)}) for block in recipe.blocks)
    tells = {name: render(text, "form", values) for name, text in recipe.tells}
    return recipe.model_copy(
        update={
            "blocks": tuple(blocks),
            "then": render(recipe.then, "form", values),
            "tells": recipe.tells.model_copy(update=tells),
        }
    )


def fill_url_lines(recipe: Recipe, client: ClientSettings, *, issuer: str, url: str) -> Recipe:
    """Return the filled recipe, reduced to the lines that depend on the application's URL.

    Secrets appear as `UNCHANGED`, because the bridge keeps none.

    Raises:
        RecipeError: If a language cannot hold a value.
    """
    other_client = client.model_copy(update={"post_logout_redirect_uris": (_OTHER_URL,)})
    fill = partial(fill_recipe, recipe, issuer=issuer, client_secret=UNCHANGED, random=lambda: UNCHANGED)
    here, other = fill(client, url=url), fill(other_client, url=_OTHER_URL)
    blocks = []
    for block, same_block in zip(here.blocks, other.blocks, strict=True):
        pairs = zip_longest(block.text.splitlines(), same_block.text.splitlines())
        if lines := [line.rstrip() for line, other_line in pairs if line is not None and line != other_line]:
            blocks.append(block.model_copy(update={"text": "\n".join(lines)}))
    then = here.then if here.then != other.then else ""
    return here.model_copy(update={"blocks": tuple(blocks), "then": then})


def previous_url(recipe: Recipe, redirect_uris: Sequence[str]) -> str | None:
    """Return the URL for which the recipe registers these redirect URIs, or None if there is none.

    The bridge does not store it, so it is derived from the registered redirect URIs.
    """
    known = set(redirect_uris)
    return max(
        dict.fromkeys(_candidate_urls(recipe, redirect_uris)),
        key=lambda url: len(known.intersection(client_facts(recipe, url)["redirect_uris"])),
        default=None,
    )


def moved_addresses(recipe: Recipe, client: ClientSettings, old: str | None, url: str) -> dict[str, Any]:
    """Return the address fields of a client whose application moved to another URL.

    Args:
        recipe: The recipe that the client was registered with.
        client: The client before the move.
        old: The result of `previous_url`. The recipe's addresses and all others below this URL move; the rest stay.
            Without it, the client gets the addresses of the recipe.
        url: The new URL.
    """
    there = client_facts(recipe, url)
    if old is None:
        return {name: there[name] for name in ADDRESS_FIELDS if name in there}
    here = client_facts(recipe, old)
    return {
        name: _moved(value, here.get(name, ()), there.get(name, ()), old, url)
        for name in ADDRESS_FIELDS
        if (value := getattr(client, name))
    }


def _moved(value: Any, here: Any, there: Any, old: str, url: str) -> Any:
    if value == here:
        return there
    if isinstance(value, tuple):
        pairs = dict(zip(here, there, strict=True))
        return tuple(pairs.get(address) or _moved(address, "", "", old, url) for address in value)
    is_below = value == old or value.startswith((f"{old}/", f"{old}?"))
    return f"{url}{value[len(old) :]}" if is_below else value


def _candidate_urls(recipe: Recipe, redirect_uris: Sequence[str]) -> Iterator[str]:
    """Yield every URL that makes one template equal to one redirect URI.

    A template with the host alone yields a URL without a path.
    """
    for template in recipe.client.redirect_uris:
        pattern = re.escape(render(template, "form", {name: f"\0{name}\0" for name in _URL_PATTERNS}))
        for name, shape in _URL_PATTERNS.items():
            pattern = pattern.replace(f"\0{name}\0", f"(?P<{name}>{shape})", 1)
        for uri in redirect_uris:
            found = match.groupdict() if (match := re.fullmatch(pattern, uri)) else {}
            url = found.get("url") or f"{urlsplit(uri).scheme}://{found.get('host', '')}"
            with suppress(ValueError):
                if application_url(url) == url:
                    yield url


def _logout_url(issuer: str, client: ClientSettings) -> str:
    """Return the logout URL without an ID token hint, so the bridge asks the user for confirmation."""
    parameters = {"client_id": client.client_id}
    if client.post_logout_redirect_uris:
        parameters["post_logout_redirect_uri"] = client.post_logout_redirect_uris[0]
    return f"{issuer}/logout?{urlencode(parameters)}"


def _url_values(url: str | None) -> dict[str, str]:
    if url is None:
        return {}
    parts = urlsplit(url)
    return {"url": url, "host": parts.netloc, "path": parts.path or "/"}
