"""Options of `passerelle clients`, and the fields of `ClientSettings` that they set."""

from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import click

from bridge.settings.client import GRANT_TYPES, SCOPES

Command = Callable[..., None]
Option = Callable[[Command], Command]
CLEARABLE: dict[str, str] = {}
"""The fields that `clients edit --clear` can reset, by option name."""

client_id_argument = click.argument("client_id")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def not_empty(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Reject an empty value: an unset variable of a script would otherwise clear a field."""
    given = value if isinstance(value, tuple) else () if value is None else (value,)
    if any(not text.strip() for text in given):
        name = option.opts[0].removeprefix("--")
        can_clear = ctx.info_name == "edit" and name in CLEARABLE
        clear = f" `--clear {name}` resets it to the default." if can_clear else ""
        raise click.BadParameter(f"The value is empty.{clear}")
    return value


def file_path(ctx: click.Context, option: click.Parameter, value: str | None) -> Path | None:
    """Return the value as a path. An empty value is rejected, because it would mean the working directory."""
    return None if value is None else Path(not_empty(ctx, option, value))


def _option(flag: str, text: str, suffix: str = "", **how: Any) -> Option:
    """Return an option for the field that has the name of the flag and the suffix."""
    name = flag.removeprefix("--")
    CLEARABLE[name] = name.replace("-", "_") + suffix
    return click.option(flag, CLEARABLE[name], help=text, **how)


_text = partial(_option, callback=not_empty)
_texts = partial(_text, suffix="s", multiple=True)
_seconds = partial(_option, suffix="_seconds", metavar="SECONDS", type=int)
_OPTIONS: tuple[Option, ...] = (
    _texts("--redirect-uri", "A URI that codes may be sent to.", metavar="URI"),
    _texts("--scope", f"{', '.join(SCOPES)}.", metavar="SCOPE"),
    _texts("--grant-type", f"One of {', '.join(GRANT_TYPES)}.", metavar="NAME"),
    click.option("--consent/--no-consent", "consent", default=None, help="Ask users for consent, or never."),
    click.option("--pkce/--no-pkce", "require_pkce", default=None, help="Require PKCE. Public clients always need it."),
    _texts("--allowed-group", "Admit members of these groups only.", metavar="GROUP"),
    _texts("--allowed-attribute", "Admit users with one of the given values for each NAME only.", metavar="NAME=VALUE"),
    _texts("--claim", "A claim in addition to those of the scopes.", metavar="CLAIM"),
    _texts("--post-logout-redirect-uri", "A URI that users may be sent to after they sign out.", metavar="URI"),
    _text("--backchannel-logout-uri", "The URI for back-channel logout requests.", metavar="URI"),
    click.option("--pairwise/--no-pairwise", "pairwise", default=None, help="Give the client a sub of its own."),
    _text("--sector-identifier", "The host that shares pairwise subjects.", metavar="HOST"),
    click.option(
        "--id-token-alg",
        "id_token_signed_response_alg",
        type=click.Choice(["RS256", "ES256"]),
        help="The algorithm that signs its ID tokens.",
    ),
    _seconds("--access-token-lifetime", "The lifetime of an access token."),
    _seconds("--refresh-token-lifetime", "The lifetime of a refresh token without use."),
    _seconds("--identity-max-age", "How often users are silently rechecked with CAS."),
)


def client_options(command: Command) -> Command:
    """Add the options that describe a client to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def facts_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `ClientSettings` that the options set."""
    facts = {name: value for name, value in options.items() if value not in (None, ())}
    if "scopes" in facts:  # one option may hold several, separated by spaces as in OAuth
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
