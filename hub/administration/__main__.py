"""The `passerelle` command of the hub's image."""

from __future__ import annotations

import signal
import sys

import click
from docker.errors import DockerException

from hub.administration.backup import backup, restore
from hub.administration.faults import AdministrationError
from hub.administration.offboard import offboard
from hub.administration.upgrade import upgrade
from hub.administration.users import users


class _OneSentence(click.Group):
    """What goes wrong ends in one sentence on standard error and exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AdministrationError as fault:
            raise click.ClickException(str(fault)) from None
        except DockerException as error:
            raise click.ClickException(f"the Docker engine does not do what was asked of it: {error}") from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Passerelle's commands beside the hub."""


@main.group(cls=_OneSentence)
def hub() -> None:
    """Look after this deployment."""


for command in (backup, restore, users, offboard, upgrade):
    hub.add_command(command)

if __name__ == "__main__":
    # `docker stop` of this container is an interruption like any other: the one-shot container is ended as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(prog_name="passerelle"))
