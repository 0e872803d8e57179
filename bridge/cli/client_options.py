"""The options by which `passerelle clients` describes a client, and what of its settings each one sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bridge.settings.client import GRANT_TYPES, SCOPES

Command = Callable[..., None]

_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option("--redirect-uri", "redirect_uris", multiple=True, metavar="URI", help="Where codes are sent."),
    click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help=", ".join(SCOPES) + "."),
    click.option(
        "--grant-type", "grant_types", multiple=True, metavar="NAME", help=f"One of {', '.join(GRANT_TYPES)}."
    ),
    click.option("--consent/--no-consent", "consent", default=None, help="Whether users are asked first."),
    click.option("--pkce/--no-pkce", "require_pkce", default=None, help="Only a client with a secret can go without."),
    click.option("--allowed-group", "allowed_groups", multiple=True, metavar="GROUP", help="Who may sign in."),
    click.option(
        "--allowed-attribute",
        "allowed_attributes",
        multiple=True,
        metavar="NAME=VALUE",
        help="Who may sign in, further: of each NAME the user has one VALUE.",
    ),
    click.option(
        "--claim", "claims", multiple=True, metavar="CLAIM", help="What it gets beside the claims of its scopes."
    ),
    click.option(
        "--post-logout-redirect-uri",
        "post_logout_redirect_uris",
        multiple=True,
        metavar="URI",
        help="Where people may be sent after they signed out.",
    ),
    click.option("--backchannel-logout-uri", metavar="URI", help="Where to tell that a session ended."),
    click.option(
        "--pairwise/--no-pairwise", "pairwise", default=None, help="Give it a sub that no other client can compare."
    ),
    click.option("--sector-identifier", metavar="HOST", help="What pairwise subjects are shared by."),
    click.option(
        "--id-token-alg",
        "id_token_signed_response_alg",
        type=click.Choice(["RS256", "ES256"]),
        help="What its ID tokens are signed by.",
    ),
    click.option("--access-token-lifetime", type=int, metavar="SECONDS", help="How long each is good for."),
    click.option("--refresh-token-lifetime", type=int, metavar="SECONDS", help="How long one waits to be used."),
    click.option("--identity-max-age", type=int, metavar="SECONDS", help="After which CAS is asked again, silently."),
)
LISTS = {
    "redirect-uri": "redirect_uris",
    "scope": "scopes",
    "grant-type": "grant_types",
    "allowed-group": "allowed_groups",
    "allowed-attribute": "allowed_attributes",
    "claim": "claims",
    "post-logout-redirect-uri": "post_logout_redirect_uris",
    "backchannel-logout-uri": "backchannel_logout_uri",
    "sector-identifier": "sector_identifier",
    "access-token-lifetime": "access_token_lifetime",
    "refresh-token-lifetime": "refresh_token_lifetime",
    "identity-max-age": "identity_max_age",
}


def describing(command: Command) -> Command:
    """Give a command all of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def facts_of(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of `ClientSettings` that were given."""
    facts = {name: value for name, value in options.items() if value not in (None, ())}
    if "scopes" in facts:  # several in one, as they are written everywhere else
        facts["scopes"] = tuple(scope for given in facts["scopes"] for scope in given.split())
    if "pairwise" in facts:
        facts["subject_type"] = "pairwise" if facts.pop("pairwise") else "public"
    if "allowed_attributes" in facts:
        facts["allowed_attributes"] = _attributes(facts["allowed_attributes"])
    return facts


def _attributes(pairs: tuple[str, ...]) -> dict[str, list[str]]:
    allowed: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name.strip() and value):
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE.", param_hint="--allowed-attribute")
        allowed.setdefault(name.strip(), []).append(value)
    return allowed
