"""`passerelle clients edit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from bridge.cli.client_options import LISTS, describing, facts_of, not_empty
from bridge.cli.client_output import change_text, fields_of, row_of
from bridge.cli.client_recipes import Chosen, as_fields, chosen, told
from bridge.cli.client_warnings import note, note_other_subjects, note_pairwise, note_same_address
from bridge.cli.store import now, open_store
from bridge.oauth.client_plan import Change, difference
from bridge.oauth.client_store import ClientStore, checked, document_of
from bridge.oauth.clients import REREAD_SECONDS
from bridge.recipes import Configuration, moved_facts, old_address
from bridge.settings import ClientSettings

_INTO = "{into}, in place of the lines that have the old address"


def _moving(command: Callable[..., None]) -> Callable[..., None]:
    """Give it the options."""
    recipe = click.option(
        "--recipe", "recipe_name", metavar="APP", help="With --url: the recipe that it was made with."
    )
    return recipe(click.option("--url", metavar="URL", help="With --recipe: where the application is now.")(command))


@click.command()
@click.argument("client_id")
@click.option("--name", "client_name", callback=not_empty, help="What people read on pages.")
@_moving
@describing
@click.option("--clear", type=click.Choice(list(LISTS)), multiple=True, help="Set back to the default.")
@click.option("--json", "as_json", is_flag=True, help="Print the client, and what changed, as one JSON object.")
def edit(
    client_id: str, recipe_name: str | None, url: str | None, clear: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Change a client, and show what that changed. A list that is given replaces the whole list; everything else stays.

    Of an application that moved, --recipe and --url take along every address below the old one, and print the lines of
    the application's own configuration that have its address. Its secret stays. With which recipe a client was made
    is not kept, so it is asked for.

    \b
    Examples:
        passerelle clients edit wiki-1f --allowed-group staff --allowed-group students
        passerelle clients edit wiki-1f --clear allowed-group
        passerelle clients edit dashboards-1f --recipe grafana --url https://dashboards.example.net
    """
    by_recipe = _chosen(recipe_name, url)
    given = {**{LISTS[name]: None for name in clear}, **facts_of(options)}
    if not given and by_recipe is None:
        raise click.UsageError("Nothing to change: give at least one option.")
    with open_store() as (settings, stored):
        store = ClientStore(settings.clients, stored, now=now())
        before = store.managed(client_id)
        facts, paste = given, None
        if by_recipe is not None:
            facts = {**_moved(by_recipe, before), **given}
            paste = by_recipe.at_new_address(checked({**document_of(before), **facts}), issuer=settings.issuer)
        after = store.edit(client_id, facts)
        row = row_of(store.find(client_id))
        _note(before, after, store)
    change = Change(client_id=client_id, action="change", fields=difference(before, after))
    if not as_json:
        _tell(change, after, paste)
        return
    further = as_fields(by_recipe, paste, settings.issuer) if by_recipe and paste else {}
    click.echo(json.dumps({**row, "changed": fields_of(change), **further}, indent=2))


def _chosen(recipe_name: str | None, url: str | None) -> Chosen | None:
    if recipe_name is None and url is not None:
        raise click.UsageError(
            "--url goes with --recipe: which one a client was made with is not kept; `passerelle clients recipes` "
            "lists them. Without a recipe there is --redirect-uri."
        )
    return chosen(recipe_name, url, moves=True)


def _moved(by_recipe: Chosen, before: ClientSettings) -> dict[str, Any]:
    by_recipe.check_keeps_secret(public=before.is_public)
    old = old_address(by_recipe.recipe, before.redirect_uris)
    if old is None:
        note(
            f"no address of {before.client_id} was one of the recipe {by_recipe.recipe.name}, so it gets those of the "
            "recipe in place of its own."
        )
    return moved_facts(by_recipe.recipe, before, old, by_recipe.url or "")


def _note(before: ClientSettings, after: ClientSettings, store: ClientStore) -> None:
    if before.redirect_uris != after.redirect_uris:
        note_same_address(after, store)
    note_other_subjects(before, after)
    note_pairwise(after)


def _tell(change: Change, client: ClientSettings, paste: Configuration | None) -> None:
    if change.fields:
        click.echo(change_text(change))
        click.echo(f"Changed {change.client_id}. A running bridge follows within {REREAD_SECONDS} seconds.")
    else:
        click.echo(f"Nothing to do: {change.client_id} is so already.")
    if paste is None:
        return
    if not client.is_public:
        click.echo("Its secret stays as it is.", err=True)
    nowhere = "What the recipe puts into the application's configuration has its address nowhere: nothing to paste."
    click.echo(told(paste, into=_INTO) if paste.blocks else "\n".join([nowhere, *filter(None, [paste.then])]))
