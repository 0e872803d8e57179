"""The `passerelle` command: one file a group of subcommands, which call rooms and print.

Everything that can be wrong with settings, database or arguments ends in one sentence on standard error and exit
status 1 (2 for wrong arguments), never in a traceback.
"""

from __future__ import annotations

import os
import sys

import click

from bridge.cli.check import check
from bridge.cli.claims import claims
from bridge.cli.clients import clients
from bridge.cli.errors import ErrorHandlingGroup
from bridge.cli.hub import hub
from bridge.cli.init import init
from bridge.cli.keys import keys
from bridge.cli.sessions import purge, sessions
from bridge.errors import ConfigurationError
from bridge.log import configure_logging
from bridge.settings import CONFIG_NAME, config_file_in_use, default_config_files, load


@click.group(cls=ErrorHandlingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passerelle", message="%(prog)s %(version)s")
def main() -> None:
    """Sign in at CAS, reach everything that speaks OAuth2 and OpenID Connect.

    `passerelle init` sets everything up. Settings come from PASSERELLE_* environment variables over one TOML file:
    the one that PASSERELLE_CONFIG names, else passerelle.toml in this folder, else /etc/passerelle/passerelle.toml.
    The least that is needed:

    \b
        PASSERELLE_ISSUER=https://auth.example.org      where browsers reach this bridge
        PASSERELLE_CAS_URL=https://sso.example.org/cas  where users sign in
        PASSERELLE_SECRET_KEY=…                         from `openssl rand -hex 32`
    """
    configure_logging("warning", cache_loggers=False)  # to standard error; standard output is for what was asked


@main.command()
def serve() -> None:
    """Run the bridge until it is stopped.

    Prints one line with its address on standard output when it can serve, and logs JSON lines on standard error.
    """
    from bridge.serve import serve_forever  # noqa: PLC0415  the server's modules are of no use to other commands

    places = default_config_files()
    try:
        settings = load(os.environ, places)
        file = config_file_in_use(os.environ, places)
        if file is not None:
            os.environ[CONFIG_NAME] = file  # for the workers: the same one, whatever is put elsewhere later
        serve_forever(settings, settings_file=file or "")
    except ConfigurationError as error:
        click.echo(error.description, err=True)
        sys.exit(1)


for command in (init, check, clients, keys, sessions, purge, claims, hub):
    main.add_command(command)
