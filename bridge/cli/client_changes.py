"""`passerelle clients` commands that change one client: its secret and its state."""

from __future__ import annotations

import sys
from secrets import token_urlsafe

import click

from bridge.cli.client_options import client_id_argument, json_option, open_clients, yes_option
from bridge.cli.client_output import print_credentials, print_json
from bridge.oauth.clients import prefixed_hash


@click.command("rotate-secret")
@client_id_argument
@click.option("--keep-old", is_flag=True, help="Keep the current secret valid next to the new one.")
@click.option("--drop-old", is_flag=True, help="End the former secret instead of generating a new one.")
@json_option
def rotate_secret(client_id: str, keep_old: bool, drop_old: bool, as_json: bool) -> None:
    """Generate a new secret for a client and print it once.

    \b
    Without downtime:
        passerelle clients rotate-secret wiki-1f --keep-old
        … configure the new secret in the application …
        passerelle clients rotate-secret wiki-1f --drop-old
    """
    if keep_old and drop_old:
        raise click.UsageError("--keep-old and --drop-old exclude each other.")
    with open_clients() as (_, clients):
        if drop_old:
            clients.drop_former_secret(client_id)
            click.echo(f"Only the newest secret of {client_id} is valid now.", err=True)
            if as_json:
                print_json({"client_id": client_id, "secrets": 1})
            return
        secret = clients.rotate_secret(client_id, keep_old=keep_old)
    print_credentials(client_id, secret, as_json)


@click.command()
@client_id_argument
@json_option
def disable(client_id: str, as_json: bool) -> None:
    """Disable a client and revoke its tokens."""
    with open_clients() as (_, clients):
        revoked = clients.disable(client_id)
    _print_state(as_json, client_id, "disabled", revoked)


@click.command()
@client_id_argument
@json_option
def enable(client_id: str, as_json: bool) -> None:
    """Enable a disabled client. Its users have to sign in again."""
    with open_clients() as (_, clients):
        clients.enable(client_id)
    _print_state(as_json, client_id, "enabled")


@click.command()
@client_id_argument
@yes_option
@json_option
def remove(client_id: str, yes: bool, as_json: bool) -> None:
    """Remove a client and revoke its tokens."""
    if not yes:
        click.confirm(f"Remove {client_id!r} and revoke its tokens?", abort=True, err=True)
    with open_clients() as (_, clients):
        revoked = clients.remove(client_id)
    _print_state(as_json, client_id, "removed", revoked)


@click.command("hash")
@click.option("--generate", is_flag=True, help="Generate a secret, and print it with its hash.")
@json_option
def print_hash(generate: bool, as_json: bool) -> None:
    """Print the value of `client_secret_hash` for a secret.

    Reads the secret from standard input, which keeps it out of process lists and the shell history.
    """
    secret = token_urlsafe(32) if generate else _read_secret()
    if as_json:
        generated = {"client_secret": secret} if generate else {}
        print_json({**generated, "client_secret_hash": prefixed_hash(secret)})
        return
    if generate:
        click.echo(f"client_secret (shown once, for the application): {secret}")
    click.echo(f'client_secret_hash = "{prefixed_hash(secret)}"')


def _read_secret() -> str:
    try:
        secret = sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The secret on standard input is not UTF-8 text.") from None
    if not secret:
        raise click.ClickException("No secret on standard input. Type one line, or use --generate.")
    return secret


def _print_state(as_json: bool, client_id: str, state: str, revoked: int | None = None) -> None:
    """Print the new state of a client, and the number of revoked grants."""
    if as_json:
        counted = {} if revoked is None else {"revoked_grants": revoked}
        print_json({"client_id": client_id, "state": state, **counted})
    else:
        click.echo(f"{state.capitalize()} {client_id}." + ("" if revoked is None else f" Revoked grants: {revoked}."))
