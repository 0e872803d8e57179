"""`passerelle clients edit`."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.client_options import (
    CLEARABLE,
    client_id_argument,
    client_options,
    facts_of,
    json_option,
    not_empty,
    open_clients,
)
from bridge.cli.client_output import (
    change_fields,
    change_text,
    client_fields,
    note,
    print_json,
    print_notes,
)
from bridge.cli.client_recipes import ChosenRecipe, choose_recipe, configuration_text, filled_fields
from bridge.oauth.client_plan import Change, changed_fields
from bridge.oauth.clients import RELOAD_SECONDS, client_document, validate_client
from bridge.recipes import Recipe, fill_url_lines, moved_addresses, previous_url
from bridge.settings import ClientSettings

_INTO = "{into}, replacing the lines with the old URL"


@click.command()
@client_id_argument
@click.option("--name", "client_name", callback=not_empty, help="The name that users see.")
@click.option("--recipe", "recipe_name", metavar="APP", help="With --url: the original recipe of the client.")
@click.option("--url", metavar="URL", help="With --recipe: the new URL of the application.")
@client_options
@click.option("--clear", type=click.Choice(list(CLEARABLE)), multiple=True, help="Reset this field to its default.")
@json_option
def edit(
    client_id: str, recipe_name: str | None, url: str | None, clear: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Change a client and print the changed fields. A list option replaces the whole list.

    If an application's URL changes, update it with one command, using its original recipe and the new --url. The
    command moves every address below the old URL, keeps the secret, and prints the lines of the application's
    configuration that contain its URL.

    \b
    Examples:
        passerelle clients edit wiki-1f --allowed-group staff --allowed-group students
        passerelle clients edit wiki-1f --clear allowed-group
        passerelle clients edit dashboards-1f --recipe grafana --url https://dashboards.example.net
    """
    chosen = choose_recipe(recipe_name, url, moves=True)
    given = {**{CLEARABLE[name]: None for name in clear}, **facts_of(options)}
    if not given and chosen is None:
        raise click.UsageError("Nothing to change: give at least one option.")
    with open_clients() as (settings, clients):
        before = clients.find_managed(client_id).readable_settings()
        facts, filled = given, None
        if chosen is not None and chosen.url is not None:
            facts = {**_moved(chosen, before), **given}
            moved = validate_client({**client_document(before), **facts})
            filled = fill_url_lines(chosen.recipe, moved, issuer=settings.issuer, url=chosen.url)
        after = clients.edit(client_id, facts)
        print_notes(after, clients, before)
        fields = client_fields(clients.find(client_id))
    change = Change(client_id=client_id, action="change", fields=changed_fields(before, after))
    if not as_json:
        _print(change, after, filled)
        return
    details = filled_fields(filled, chosen.url, settings.issuer) if chosen and filled else {}
    print_json({**fields, "changed": change_fields(change), **details})


def _moved(chosen: ChosenRecipe, before: ClientSettings) -> dict[str, Any]:
    chosen.check_type(public=before.is_public)
    old = previous_url(chosen.recipe, before.redirect_uris)
    if old is None:
        note(
            f"{before.client_id} has no redirect URI of the recipe {chosen.recipe.name}. The addresses of the recipe "
            "replace its own."
        )
    return moved_addresses(chosen.recipe, before, old, chosen.url or "")


def _print(change: Change, client: ClientSettings, filled: Recipe | None) -> None:
    if change.fields:
        click.echo(change_text(change))
        click.echo(f"Changed {change.client_id}. A running bridge applies it within {RELOAD_SECONDS} seconds.")
    else:
        click.echo(f"Nothing to change: {change.client_id} has these values already.")
    if filled is None:
        return
    if not client.is_public:
        click.echo("The secret stays the same.", err=True)
    if not filled.blocks:
        click.echo("The application's configuration does not contain its URL: there is nothing to paste.")
    if text := configuration_text(filled, into=_INTO):
        click.echo(text)
