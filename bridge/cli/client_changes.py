"""What `passerelle clients` does to one registered client: its secret, its state, its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_urlsafe
from typing import Any

import click

from bridge.cli.store import now, open_store
from bridge.oauth.client_store import ClientStore
from bridge.oauth.clients import hash_secret


@contextmanager
def client_store() -> Iterator[ClientStore]:
    """What every command about clients works with."""
    with open_store() as (settings, store):
        yield ClientStore(settings.clients, store, now=now())


@click.command("rotate-secret")
@click.argument("client_id")
@click.option("--keep-old", is_flag=True, help="Leave the present secret valid beside the new one: two at most.")
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
    with client_store() as store:
        if drop_old:
            store.drop_former_secret(client_id)
            click.echo(f"{client_id} has one valid secret now, the newest.", err=True)
            if as_json:
                click.echo(json.dumps({"client_id": client_id, "secrets": 1}))
            return
        secret = store.rotate_secret(client_id, keep_old=keep_old)
    print_credentials(client_id, secret, as_json)


@click.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def disable(client_id: str, as_json: bool) -> None:
    """Let a client do nothing any more, and take back everything that it holds."""
    with client_store() as store:
        revoked = store.disable(client_id)
    _print(as_json, f"Disabled {client_id}; grants taken back: {revoked}.", client_id, "disabled", revoked)


@click.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def enable(client_id: str, as_json: bool) -> None:
    """Let a disabled client work again; its users sign in anew."""
    with client_store() as store:
        store.enable(client_id)
    _print(as_json, f"Enabled {client_id}.", client_id, "enabled")


@click.command()
@click.argument("client_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def remove(client_id: str, yes: bool, as_json: bool) -> None:
    """Forget a client, and take back everything that it holds."""
    if not yes:
        click.confirm(f"Remove {client_id!r} and everything that it holds?", abort=True, err=True)
    with client_store() as store:
        revoked = store.remove(client_id)
    _print(as_json, f"Removed {client_id}; grants taken back: {revoked}.", client_id, "removed", revoked)


@click.command("hash")
@click.option("--generate", is_flag=True, help="Make a new secret, print it, and print its hash.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def print_hash(generate: bool, as_json: bool) -> None:
    """Print what to write into `client_secret_hash`.

    Reads the secret from standard input, so that it appears in no process list and no shell history.
    """
    if generate:
        secret = token_urlsafe(32)
        if not as_json:
            click.echo(f"client_secret (shown once, for the application): {secret}")
    else:
        try:
            secret = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException("The secret on standard input is not UTF-8 text.") from None
        if not secret:
            raise click.ClickException("No secret on standard input. Type one line, or use --generate.")
    hashed = f"sha256:{hash_secret(secret)}"
    if as_json:
        click.echo(json.dumps({**({"client_secret": secret} if generate else {}), "client_secret_hash": hashed}))
    else:
        click.echo(f'client_secret_hash = "{hashed}"')


def print_credentials(
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


def _print(as_json: bool, sentence: str, client_id: str, state: str, revoked: int | None = None) -> None:
    """A sentence for people, or the same in fields."""
    counted = {} if revoked is None else {"grants_taken_back": revoked}
    click.echo(json.dumps({"client_id": client_id, "state": state, **counted}) if as_json else sentence)
