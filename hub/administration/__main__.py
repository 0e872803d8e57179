"""The `passerelle` command of the hub's image."""

import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import click
from docker.errors import DockerException

from hub.administration import AdministrationError
from hub.administration.backup import backup
from hub.administration.offboard import offboard
from hub.administration.restore import restore
from hub.administration.upgrade import upgrade
from hub.administration.users import users
from hub.guard.privileges import become
from passerelle_common.click_errors import ExpectedErrorsGroup

HUB_USER = 10002  # in hub/Dockerfile and compose.yml; it owns the hub's data


class HubGroup(ExpectedErrorsGroup):
    """The `hub` commands, with their expected errors."""

    expected_errors: ClassVar[Mapping[type[Exception], Callable[[Any], str]]] = {
        AdministrationError: str,
        DockerException: lambda error: f"The Docker engine rejected the operation: {error}",
    }


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Administer Passerelle beside the hub."""


@main.group(cls=HubGroup)
def hub() -> None:
    """Administer this deployment: backup, restore, users, offboard, upgrade."""


for command in (backup, restore, users, offboard, upgrade):
    hub.add_command(command)

if __name__ == "__main__":
    # `docker stop` of this container interrupts the command, which then stops its one-shot container.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(FileNotFoundError):  # the help needs no engine
        become(HUB_USER, Path("/var/run/docker.sock"))
    sys.exit(main(prog_name="passerelle"))
