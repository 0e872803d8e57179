"""`passerelle clients`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_urlsafe
from typing import Any

import click

from bridge.cli.client_options import LISTS, describing, facts_of
from bridge.cli.client_output import listing, row_of, table
from bridge.cli.client_recipes import as_fields, chosen, from_recipe, recipes, told
from bridge.cli.opening import now, opened
from bridge.oauth.client_store import ClientStore
from bridge.oauth.clients import REREAD_SECONDS, hash_secret
from bridge.settings import ClientSettings

PAIRWISE_NOTE = (
    "Note: the scopes profile and email tell who somebody is; a pairwise sub alone does not hide it from this client."
)


@click.group()
def clients() -> None:
    """The applications that may send their users here.

    Those of the settings file are read-only here; the others are kept in the database, their secrets as hashes. A
    running bridge follows within seconds.
    """


clients.add_command(recipes)


@contextmanager
def _client_store() -> Iterator[ClientStore]:
    with opened() as (settings, store):
        yield ClientStore(settings.clients, store, now=now())


@clients.command()
@click.argument("name")
@click.option("--id", "client_id", metavar="CLIENT_ID", help="Instead of one made from the name.")
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
    with opened() as (settings, stored):
        issuer, store = settings.issuer, ClientStore(settings.clients, stored, now=now())
        if by_recipe is not None:
            public = public or by_recipe.recipe.client.public
            by_recipe.check_fits(facts, public=public, issuer=issuer)
        client, secret = store.add(facts, public=public)
    _note_pairwise(client)
    if by_recipe is None:
        _print_credentials(client.client_id, secret, as_json)
        return
    paste = by_recipe.filled(client, issuer=issuer, client_secret=secret)
    _print_credentials(client.client_id, secret, as_json, as_fields(by_recipe, paste, issuer))
    if not as_json:
        click.echo(told(paste))


@clients.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def print_all(as_json: bool) -> None:
    """Show all clients, those of the settings file as well."""
    with _client_store() as store:
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
    with _client_store() as store:
        found = store.find(client_id)
    click.echo(json.dumps(row_of(found), indent=2) if as_json else listing(found))


@clients.command()
@click.argument("client_id")
@click.option("--name", "client_name", help="What people read on pages.")
@describing
@click.option("--clear", type=click.Choice(list(LISTS)), multiple=True, help="Set back to the default.")
def edit(client_id: str, clear: tuple[str, ...], **options: Any) -> None:
    """Change a client. A list that is given replaces the whole list; everything else stays.

    \b
    Examples:
        passerelle clients edit wiki-1f --allowed-group staff --allowed-group students
        passerelle clients edit wiki-1f --clear allowed-group
    """
    facts = {**{LISTS[name]: None for name in clear}, **facts_of(options)}
    if not facts:
        raise click.UsageError("Nothing to change: give at least one option.")
    with _client_store() as store:
        settings = store.edit(client_id, facts)
    if "subject_type" in facts or "sector_identifier" in facts:
        click.echo(f"Note: {client_id} sees its users under another sub from now on.", err=True)
    _note_pairwise(settings)
    click.echo(f"Changed {client_id}. A running bridge follows within {REREAD_SECONDS} seconds.")


@clients.command("rotate-secret")
@click.argument("client_id")
@click.option("--keep-old", is_flag=True, help="Leave the present secret valid beside the new one.")
@click.option("--drop-old", is_flag=True, help="Make no new secret, but end the validity of the one before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rotate_secret(client_id: str, keep_old: bool, drop_old: bool, as_json: bool) -> None:
    """Give a client a new secret, and print it once.

    \b
    Without an interruption:
        passerelle clients rotate-secret wiki-1f --keep-old
        … put the new secret into the application …
        passerelle clients rotate-secret wiki-1f --drop-old
    """
    if keep_old and drop_old:
        raise click.UsageError("--keep-old and --drop-old exclude each other.")
    with _client_store() as store:
        if drop_old:
            store.drop_former_secret(client_id)
            click.echo(f"{client_id} has one valid secret now, the newest.", err=True)
            return
        secret = store.rotate_secret(client_id, keep_old=keep_old)
    _print_credentials(client_id, secret, as_json)


@clients.command()
@click.argument("client_id")
def disable(client_id: str) -> None:
    """Let a client do nothing any more, and take back everything that it holds."""
    with _client_store() as store:
        revoked = store.disable(client_id)
    click.echo(f"Disabled {client_id}; grants taken back: {revoked}.")


@clients.command()
@click.argument("client_id")
def enable(client_id: str) -> None:
    """Let a disabled client work again; its users sign in anew."""
    with _client_store() as store:
        store.enable(client_id)
    click.echo(f"Enabled {client_id}.")


@clients.command()
@click.argument("client_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(client_id: str, yes: bool) -> None:
    """Forget a client, and take back everything that it holds."""
    if not yes:
        click.confirm(f"Remove {client_id!r} and everything that it holds?", abort=True, err=True)
    with _client_store() as store:
        revoked = store.remove(client_id)
    click.echo(f"Removed {client_id}; grants taken back: {revoked}.")


@clients.command("hash")
@click.option("--generate", is_flag=True, help="Make a new secret, print it, and print its hash.")
def print_hash(generate: bool) -> None:
    """Print what to write into `client_secret_hash`.

    Reads the secret from standard input, so that it appears in no process list and no shell history.
    """
    if generate:
        secret = token_urlsafe(32)
        click.echo(f"client_secret (shown once, for the application): {secret}")
    else:
        try:
            secret = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException("The secret on standard input is not UTF-8 text.") from None
        if not secret:
            raise click.ClickException("No secret on standard input. Type one line, or use --generate.")
    click.echo(f'client_secret_hash = "sha256:{hash_secret(secret)}"')


def _print_credentials(
    client_id: str, secret: str | None, as_json: bool, further: Mapping[str, Any] | None = None
) -> None:
    """On standard output alone: the one time that the secret is to be had.

    :param further: what scripts are told beside it
    """
    facts = {"client_id": client_id, **({} if secret is None else {"client_secret": secret})}
    if as_json:
        click.echo(json.dumps({**facts, **(further or {})}, indent=2 if further else None))
        return
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
    if secret is not None:
        click.echo("The secret is shown this once; only its hash is kept.", err=True)


def _note_pairwise(settings: ClientSettings) -> None:
    if settings.subject_type == "pairwise" and {"profile", "email"} & set(settings.scopes):
        click.echo(PAIRWISE_NOTE, err=True)
