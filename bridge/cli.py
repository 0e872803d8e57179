"""The `passerelle` command."""

from __future__ import annotations

import os
import sys
from secrets import token_urlsafe

import click

from bridge.errors import ConfigurationError
from bridge.oauth.clients import hash_secret
from bridge.serve import serve_forever
from bridge.settings import load


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passerelle", message="%(prog)s %(version)s")
def main() -> None:
    """Sign in at CAS, reach everything that speaks OAuth2 and OpenID Connect.

    Settings come from PASSERELLE_* environment variables over the TOML file that PASSERELLE_CONFIG names.
    The least that is needed:

    \b
        PASSERELLE_ISSUER=https://auth.example.org      where browsers reach this bridge
        PASSERELLE_CAS_URL=https://sso.example.org/cas  where users sign in
        PASSERELLE_SECRET_KEY=…                         from `openssl rand -hex 32`
    """


@main.command()
def serve() -> None:
    """Run the bridge until it is stopped.

    Prints one line with its address on standard output when it can serve, and logs JSON lines on standard error.
    """
    try:
        settings = load(os.environ)
        serve_forever(settings)
    except ConfigurationError as error:
        click.echo(error.description, err=True)
        sys.exit(1)


@main.group()
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
        try:
            secret = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException("The secret on standard input is not UTF-8 text.") from None
        if not secret:
            raise click.ClickException("No secret on standard input. Type one line, or use --generate.")
    click.echo(f'client_secret_hash = "{hash_secret(secret)}"')
