"""The `passerelle` command of the hub's image."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import click
from docker.errors import DockerException

from hub.administration.backup import backup, restore
from hub.administration.faults import AdministrationError
from hub.administration.offboard import offboard
from hub.administration.upgrade import upgrade
from hub.administration.users import users
from passerelle_common.click_errors import ExpectedErrorsGroup


class HubGroup(ExpectedErrorsGroup):
    """The `hub` commands, with their expected errors."""

    expected_errors: ClassVar[Mapping[type[Exception], Callable[[Any], str]]] = {
        AdministrationError: str,
        DockerException: lambda error: f"The Docker engine rejected the operation: {error}",
    }


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Passerelle's commands beside the hub."""


@main.group(cls=HubGroup)
def hub() -> None:
    """Look after this deployment."""


for command in (backup, restore, users, offboard, upgrade):
    hub.add_command(command)

if __name__ == "__main__":
    # `docker stop` of this container is an interruption like any other: the one-shot container is ended as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(prog_name="passerelle"))
