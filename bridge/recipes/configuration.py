"""Recipes filled with the values of one client, and the URL of its application, which can move to another one."""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from bridge.recipes.model import Recipe
from bridge.recipes.templates import render
from bridge.settings import ClientSettings, is_loopback

_RANDOM_TEXT = partial(secrets.token_hex, 16)  # 32 hexadecimal digits, the length of an AES-256 key as text
ADDRESS_FIELDS = ("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri")
UNCHANGED = "UNCHANGED"
"""Stands in the printed lines for secrets that the application keeps and that the bridge does not know."""
_OTHER_URL = "https://other.invalid/-"
_URL_PATTERNS = {"url": ".+", "host": "[^/]+", "path": "/.*"}

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = r"\\\"'<>*{}|^`$;"


def application_url(typed: str) -> str:
    """Return the URL without a trailing slash, a default port, or capitals in the host.

    Raises:
        ValueError: If codes cannot be sent there. The message completes "The URL …" and says what to type instead.
    """
    typed = typed.strip()
    if not typed.isascii():
        raise ValueError("contains non-ASCII characters: write the host in punycode (xn--…) and the path with %")
    if re.search(rf"[\s{_FORBIDDEN}]|%(?![0-9A-Fa-f]{{2}})", typed) or not typed.isprintable():
        raise ValueError("contains a space, wildcard, quote or other character that is not allowed here")
    try:
        parts = urlsplit(typed)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("is not valid: type it like https://app.example.org") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or not typed.partition(":")[2].startswith("//"):
        bare = re.match(r"(?:https?:/*)?([\w.-]+\.[\w-]+(?::\d+)?(?:/.*)?)$", typed)
        raise ValueError(f"is not complete: type it like https://{bare[1] if bare else 'app.example.org'}")
    try:  # some servers compare decoded paths and accept wildcards in them
        path = unquote(parts.path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a % sequence in its path that is not UTF-8: copy the path from the browser") from None
    mark = "?" if "?" in typed else "#"
    faults = {
        "contains a user name: leave out everything up to the '@'": "@" in parts.netloc,
        f"continues after the path: leave out everything from the {mark} on": mark in typed,
        "is plain http, which lets an attacker on the network intercept the sign-in: use https. "
        "http is allowed on this machine only (localhost, 127.0.0.1)": parts.scheme == "http" and not is_loopback(host),
        "has an invalid host or a port of 0": port == 0 or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host),
        "has '//', '..' or %2F in its path: write the path as the application itself sends it": (
            re.search(r"(^|/)\.{1,2}(/|$)|//", path) or "%2f" in parts.path.lower()
        ),
        "has a wildcard, quote or other character in its path that is not allowed here": (
            re.search(rf"[{_FORBIDDEN}?#\[\]]", path) or not path.isprintable()
        ),
    }
    if fault := next((fault for fault, found in faults.items() if found), None):
        raise ValueError(fault)
    shown = f"[{host}]" if ":" in host else host
    end = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{end}{parts.path.rstrip('/')}"


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

    `client_secret` is None for a public client, and `url` for a program without one. `random` returns a new secret of
    the application for each place that needs one.

    Raises:
        RecipeError: If a language cannot hold a value.
    """
    # Without an ID token hint, so the bridge asks the user for confirmation.
    logout = {"client_id": client.client_id}
    if client.post_logout_redirect_uris:
        logout["post_logout_redirect_uri"] = client.post_logout_redirect_uris[0]
    logout_url = f"{issuer}/logout?{urlencode(logout)}"
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
    filled = {"then": render(recipe.then, "form", values), "tells": recipe.tells.model_copy(update=tells)}
    return recipe.model_copy(update={"blocks": tuple(blocks), **filled})


def fill_url_lines(recipe: Recipe, client: ClientSettings, *, issuer: str, url: str) -> Recipe:
    """Return the filled recipe, reduced to the lines that depend on the application's URL.

    Secrets appear as `UNCHANGED`, because the bridge keeps none.
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
    """Return the address fields of a client whose application moved from the `old` URL to another one.

    The recipe's addresses and all others below the old URL move; the rest stay. If `previous_url` found no old URL, the
    client gets the addresses of the recipe.
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


def _url_values(url: str | None) -> dict[str, str]:
    if url is None:
        return {}
    parts = urlsplit(url)
    return {"url": url, "host": parts.netloc, "path": parts.path or "/"}
