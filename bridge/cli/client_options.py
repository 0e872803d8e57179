"""The options by which `passerelle clients` describes a client, and what of its settings each one sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bridge.settings.client import GRANT_TYPES, SCOPES

Command = Callable[..., None]


def not_empty(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Refuse what says nothing: a variable that a script did not set would else clear a field, or break a client."""
    given = value if isinstance(value, tuple) else () if value is None else (value,)
    if any(not one.strip() for one in given):
        word = option.opts[0].removeprefix("--")
        can_clear = ctx.info_name == "edit" and word in LISTS
        clear = f"; `--clear {word}` sets it back to the default" if can_clear else ""
        raise click.BadParameter(f"It is empty: give a value, or leave the option out{clear}.")
    return value


def named(_ctx: click.Context, _argument: click.Parameter, name: str) -> str:
    """Refuse a client without a name."""
    if not name.strip():
        raise click.BadParameter("It is empty: people read it on pages, so give one.")
    return name


class FilePath(click.Path):
    """Which an empty word would be the working folder for."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(path_type=Path, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does."""
        if value == "":
            self.fail("It is empty: name a file.", param, ctx)
        return super().convert(value, param, ctx)


def _text(*names: str, **how: Any) -> Callable[[Command], Command]:
    return click.option(*names, callback=not_empty, **how)


def _texts(*names: str, **how: Any) -> Callable[[Command], Command]:
    return _text(*names, multiple=True, **how)


_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    _texts("--redirect-uri", "redirect_uris", metavar="URI", help="Where codes are sent."),
    _texts("--scope", "scopes", metavar="SCOPE", help=", ".join(SCOPES) + "."),
    _texts("--grant-type", "grant_types", metavar="NAME", help=f"One of {', '.join(GRANT_TYPES)}."),
    click.option("--consent/--no-consent", "consent", default=None, help="Whether users are asked first."),
    click.option("--pkce/--no-pkce", "require_pkce", default=None, help="Only a client with a secret can go without."),
    _texts("--allowed-group", "allowed_groups", metavar="GROUP", help="Who may sign in."),
    _texts(
        "--allowed-attribute",
        "allowed_attributes",
        metavar="NAME=VALUE",
        help="Who may sign in, further: of each NAME the user has one VALUE.",
    ),
    _texts("--claim", "claims", metavar="CLAIM", help="What it gets beside the claims of its scopes."),
    _texts(
        "--post-logout-redirect-uri",
        "post_logout_redirect_uris",
        metavar="URI",
        help="Where people may be sent after they signed out.",
    ),
    _text("--backchannel-logout-uri", metavar="URI", help="Where to tell that a session ended."),
    click.option(
        "--pairwise/--no-pairwise", "pairwise", default=None, help="Give it a sub that no other client can compare."
    ),
    _text("--sector-identifier", metavar="HOST", help="What pairwise subjects are shared by."),
    click.option(
        "--id-token-alg",
        "id_token_signed_response_alg",
        type=click.Choice(["RS256", "ES256"]),
        help="What its ID tokens are signed by.",
    ),
    click.option(
        "--access-token-lifetime",
        "access_token_lifetime_seconds",
        type=int,
        metavar="SECONDS",
        help="How long each is good for.",
    ),
    click.option(
        "--refresh-token-lifetime",
        "refresh_token_lifetime_seconds",
        type=int,
        metavar="SECONDS",
        help="How long one waits to be used.",
    ),
    click.option(
        "--identity-max-age",
        "identity_max_age_seconds",
        type=int,
        metavar="SECONDS",
        help="After which CAS is asked again, silently.",
    ),
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
    "access-token-lifetime": "access_token_lifetime_seconds",
    "refresh-token-lifetime": "refresh_token_lifetime_seconds",
    "identity-max-age": "identity_max_age_seconds",
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
