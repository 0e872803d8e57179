"""A recipe with one client's values in it. Pure, once it is told what is random."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bridge.recipes.languages import escaped, holds
from bridge.recipes.model import PLACEHOLDER, Client, Recipe
from bridge.recipes.reading import RecipeFault
from bridge.settings import ClientSettings

RANDOM_BYTES = 16  # as 32 hexadecimal digits: what AES-256 takes, where an application takes the text for the key
_DEFAULTS = Client(redirect_uris=("-",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One block, ready to paste."""

    into: str
    language: str
    text: str

    def as_fields(self) -> dict[str, str]:
        """For scripts."""
        return asdict(self)


def client_facts(recipe: Recipe, url: str | None) -> dict[str, Any]:
    """What of `ClientSettings` the recipe says, at this address; what is the default is left out."""
    facts: dict[str, Any] = {}
    for name in Client.model_fields.keys() - {"public"}:
        told = getattr(recipe.client, name)
        if told != getattr(_DEFAULTS, name):
            facts[name] = _at(told, url)
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What its administrator does with the application."""

    blocks: tuple[Filled, ...]
    then: str
    tells: Mapping[str, str]
    """What groups, refresh and logout do there."""


def random_text() -> str:
    """What nobody has to remember."""
    return secrets.token_hex(RANDOM_BYTES)


def configuration(
    recipe: Recipe,
    client: ClientSettings,
    *,
    issuer: str,
    client_secret: str | None,
    url: str | None,
    random: Callable[[], str] = random_text,
) -> Configuration:
    """Every block, each value written as the language of the block has it.

    :param random: makes what an application wants of 32 characters, one for each place
    :raises RecipeFault: when a language cannot hold a value
    """
    logout_url = _logout_url(issuer, client)
    values: dict[str, str | Callable[[], str]] = {
        "issuer": issuer,
        "issuer_host": urlsplit(issuer).netloc,
        "client_id": client.client_id,
        "client_secret": client_secret or "",
        "scopes": " ".join(client.scopes),
        "logout_url": logout_url,
        "logout_url_encoded": quote(logout_url, safe=""),
        "random": random,
        **_of_address(url),
    }
    filled = tuple(
        Filled(into=block.into, language=block.language, text=_filled(block.text, values, block.language))
        for block in recipe.blocks
    )
    tells = {name: _filled(said, values, "form") for name, said in recipe.tells.model_dump().items()}
    return Configuration(blocks=filled, then=_filled(recipe.then, values, "form"), tells=tells)


def _logout_url(issuer: str, client: ClientSettings) -> str:
    """Without an ID token, which no fixed address can have in it: the user is asked once more here."""
    sent = {"client_id": client.client_id}
    if client.post_logout_redirect_uris:
        sent["post_logout_redirect_uri"] = client.post_logout_redirect_uris[0]
    return f"{issuer}/logout?{urlencode(sent)}"


def _at(told: Any, url: str | None) -> Any:
    if isinstance(told, tuple):
        return tuple(_at(each, url) for each in told)
    return _filled(told, _of_address(url), "form") if isinstance(told, str) else told


def _of_address(url: str | None) -> dict[str, str]:
    if url is None:
        return {}
    parts = urlsplit(url)
    return {"url": url, "host": parts.netloc, "path": parts.path or "/"}


def _filled(text: str, values: Mapping[str, str | Callable[[], str]], language: str) -> str:
    """Only the names are replaced: configurations have braces of their own."""

    def written(name: str) -> str:
        if name == "scope_list":
            scopes = str(values["scopes"]).split()
            return ", ".join(f'"{escaped(language, scope)}"' for scope in scopes)
        told = values[name]
        value = told if isinstance(told, str) else told()
        if name == "path" and "%" in value:
            # Apache compares a path with each % undone, mod_auth_openidc does not: one of them would look elsewhere.
            raise RecipeFault(
                f"The path {value} has a % in it, and what is to be protected is named by its path here: nobody would "
                "be asked to sign in there. Serve the application below a path of plain letters, digits, '-' and '_'."
            )
        if not holds(language, value):
            raise RecipeFault(
                f"{name} is {value!r}, which a configuration in this language ({language}) cannot hold. "
                + ("Choose another one with --id." if name == "client_id" else "Register without --recipe.")
            )
        return escaped(language, value)

    return PLACEHOLDER.sub(lambda found: written(found["name"]) if found["name"] else found[0][1:-1], text)
