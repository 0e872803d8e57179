"""`passerelle clients`."""

from __future__ import annotations

import sys
from secrets import token_urlsafe

import click

from bridge.oauth.clients import hash_secret


@click.group()
def clients() -> None:
    """The applications that may send their users here."""


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
        secret = sys.stdin.readline().rstrip("\r\n")
        if not secret:
            raise click.ClickException("No secret on standard input. Type one line, or use --generate.")
    click.echo(f'client_secret_hash = "sha256:{hash_secret(secret)}"')
