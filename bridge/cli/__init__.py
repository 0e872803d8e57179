"""The `passerelle` command, with one module per command group.

Errors are reported in one sentence on stderr, with exit status 1, or 2 for wrong arguments; never as a traceback.
"""

from __future__ import annotations

import os

import click

from bridge.cli.check import check
from bridge.cli.claims import claims
from bridge.cli.clients import clients
from bridge.cli.errors import ErrorHandlingGroup
from bridge.cli.hub import hub
from bridge.cli.init import init
from bridge.cli.keys import keys
from bridge.cli.sessions import logout_deliveries, purge, sessions
from bridge.log import configure_logging
from bridge.settings import CONFIG_NAME, config_file_in_use, default_config_files, load


@click.group(cls=ErrorHandlingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="passerelle", message="%(prog)s %(version)s")
def main() -> None:
    """Connect a CAS server to applications that use OAuth2 or OpenID Connect.

    Start with `passerelle init`. Settings come from PASSERELLE_* environment variables, which override one TOML file:
    the file in PASSERELLE_CONFIG, else passerelle.toml in this folder, else /etc/passerelle/passerelle.toml.

    \b
    Minimum configuration:
        PASSERELLE_ISSUER=https://auth.example.org      public URL of this bridge
        PASSERELLE_CAS_URL=https://sso.example.org/cas  base URL of CAS
        PASSERELLE_SECRET_KEY=…                         from `openssl rand -hex 32`
    """
    configure_logging("warning", cache_loggers=False)


@main.command()
def serve() -> None:
    """Run the bridge.

    When it is ready, it prints one line with its address on standard output. Logs are JSON lines on standard error.
    """
    from bridge.serve import serve_forever  # noqa: PLC0415  avoids loading the server for every other command

    files = default_config_files()
    settings = load(os.environ, files)
    file = config_file_in_use(os.environ, files)
    if file is not None:
        os.environ[CONFIG_NAME] = file  # workers read the same file, even if another one appears later
    serve_forever(settings, settings_file=file or "")


for command in (init, check, clients, keys, sessions, logout_deliveries, purge, claims, hub):
    main.add_command(command)
