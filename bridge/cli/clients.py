"""`passerelle clients`."""

from __future__ import annotations

import json
from typing import Any

import click

from bridge.cli.client_changes import (
    client_store,
    disable,
    enable,
    print_credentials,
    print_hash,
    remove,
    rotate_secret,
)
from bridge.cli.client_edit import edit
from bridge.cli.client_file import apply, export
from bridge.cli.client_options import describing, facts_of, named, not_empty
from bridge.cli.client_output import listing, row_of, table
from bridge.cli.client_recipes import as_fields, chosen, from_recipe, recipes, told
from bridge.cli.client_warnings import note_pairwise, note_same_address
from bridge.cli.store import now, open_store
from bridge.oauth.client_store import ClientStore


@click.group()
def clients() -> None:
    """The applications that may send their users here.

    Those of the settings file are read-only here; the others are kept in the database, their secrets as hashes. A
    running bridge follows within seconds. --json makes every command print for scripts; what is said beside it goes
    to standard error.

    \b
    Exit status: 0 done, 1 a fault, or "no" to a question, 2 wrong options,
                 3 `apply --dry-run` found something to change.
    """


for command in (edit, recipes, rotate_secret, disable, enable, remove, print_hash, apply, export):
    clients.add_command(command)


@clients.command()
@click.argument("name", callback=named)
@click.option("--id", "client_id", callback=not_empty, metavar="CLIENT_ID", help="Instead of one made from the name.")
@click.option("--public", is_flag=True, help="Without a secret: for programs on people's own machines and in browsers.")
@from_recipe
@describing
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def add(name: str, public: bool, recipe_name: str | None, url: str | None, as_json: bool, **options: Any) -> None:
    """Register the application NAME; print its client_id, and its secret once.

    With a recipe, also the application's own configuration, ready to paste. Every other option is stronger than what
    the recipe says.

    \b
    Examples:
        passerelle clients add Dashboards --recipe grafana --url https://grafana.example.org
        passerelle clients add Wiki --redirect-uri https://wiki.example.org/oauth/callback
        passerelle clients add "My CLI" --public --redirect-uri http://127.0.0.1/callback
        passerelle clients add Cron --grant-type client_credentials --scope jobs:read
    """
    by_recipe = chosen(recipe_name, url)
    facts = {"client_name": name, **(by_recipe.facts if by_recipe else {}), **facts_of(options)}
    with open_store() as (settings, stored):
        issuer, store = settings.issuer, ClientStore(settings.clients, stored, now=now())
        if by_recipe is not None:
            public = public or by_recipe.recipe.client.public
            by_recipe.check_fits(facts, public=public, issuer=issuer)
        client, secret = store.add(facts, public=public)
        note_same_address(client, store)
    note_pairwise(client)
    if by_recipe is None:
        print_credentials(client.client_id, secret, as_json)
        return
    paste = by_recipe.filled(client, issuer=issuer, client_secret=secret)
    print_credentials(client.client_id, secret, as_json, as_fields(by_recipe, paste, issuer))
    if not as_json:
        click.echo(told(paste))


@clients.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def print_all(as_json: bool) -> None:
    """Show all clients, those of the settings file as well."""
    with client_store() as store:
        found = store.all()
    if as_json:
        click.echo(json.dumps([row_of(client) for client in found], indent=2))
    elif found:
        click.echo(table(found))
    else:
        click.echo("There are no clients yet; `passerelle clients add --help` shows how to add one.", err=True)


@clients.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(client_id: str, as_json: bool) -> None:
    """Show everything about one client, except its secrets."""
    with client_store() as store:
        found = store.find(client_id)
    click.echo(json.dumps(row_of(found), indent=2) if as_json else listing(found))
