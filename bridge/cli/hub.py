"""`passerelle hub …` on the machine itself: the same command as in the hub's container, called through compose.

Here is only what a container cannot do: find the deployment's folder, and build and start what an upgrade brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

RUN = ("run", "--rm", "--no-deps")
COMMAND = ("hub", "passerelle", "hub")
# Wherever a folder is named, the machine knows it by its whole path.
FOLDER_COMMANDS = frozenset({"backup", "restore"})


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hub(arguments: tuple[str, ...]) -> None:
    """Look after the hub that compose.yml runs: backup, restore, users, offboard, upgrade."""
    docker = shutil.which("docker")
    if docker is None:
        raise click.ClickException(
            "there is no docker command here: `passerelle hub` works on the machine that the deployment runs on."
        )
    folder = find_folder(Path.cwd(), os.environ.get("PASSERELLE_FOLDER", ""))
    if arguments[:1] == ("upgrade",) and not {"--help", "-h", "--dry-run"} & set(arguments):
        upgrade(docker, folder, arguments[1:])
        return
    if arguments[:1] == ("upgrade",) and "--dry-run" in arguments:
        sys.exit(plan(docker, folder))
    sys.exit(compose(docker, folder, *inside(sys.stdin.isatty(), with_whole_paths(arguments, Path.cwd()))))


def find_folder(start: Path, named: str) -> Path:
    """Where compose.yml is: the folder that was named, this one or one above it, or the checkout of this program.

    Of a checkout whose folder site/ has an .env, it is that one: the checkout's own is the demo.
    """
    checkout = Path(__file__).resolve().parents[2]
    places = [Path(named)] if named else [start, *start.parents, checkout]
    for place in places:
        if any((place / name).is_file() for name in ("compose.yml", "compose.yaml")):
            site = place / "deployment" / "site"
            return site if (site / ".env").is_file() else place
    raise click.ClickException(
        f"there is no compose.yml in {named or start} nor above it: go to the folder of the deployment, or name it in "
        "PASSERELLE_FOLDER."
    )


def inside(terminal: bool, arguments: Sequence[str]) -> list[str]:
    """The command as compose is told it."""
    return [*RUN, *([] if terminal else ["-T"]), *COMMAND, *arguments]


def with_whole_paths(arguments: Sequence[str], here: Path) -> list[str]:
    """The folder after `backup` or `restore` as seen from where it was typed; an option's value is left alone."""
    told = list(arguments)
    if not told or told[0] not in FOLDER_COMMANDS:
        return told
    takes_value = {"--exclude"}
    for number, word in enumerate(told[1:], 1):
        if not word.startswith("-") and told[number - 1] not in takes_value:
            told[number] = os.path.normpath(here / word)
    return told


def plan(docker: str, folder: Path) -> int:
    """Say what an upgrade would change."""
    asked = [docker, "compose", "config", "--format", "json"]
    config = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  no shell
    if config.returncode:
        raise click.ClickException(f"compose does not accept this checkout: {config.stderr.strip()}")
    words = [docker, "compose", *inside(False, ["upgrade", "--dry-run", "--config", "-"])]
    return subprocess.run(words, cwd=folder, input=config.stdout, text=True, check=False).returncode  # noqa: S603  no shell


def upgrade(docker: str, folder: Path, arguments: Sequence[str]) -> None:
    """Say what changes, ask, back up, build, start; whatever fails, the way back has been printed before."""
    if unknown := set(arguments) - {"--yes", "--pull"}:
        raise click.UsageError(f"upgrade knows --dry-run, --yes and --pull, not {', '.join(sorted(unknown))}.")
    if status := plan(docker, folder):
        sys.exit(status)
    if "--yes" not in arguments:
        click.confirm("Back the databases up, build and start this?", abort=True)
    steps = [
        inside(False, ["upgrade", "--yes"]),
        ["build", *(["--pull"] if "--pull" in arguments else [])],
        ["up", "--detach", "--wait"],
    ]
    for number, step in enumerate(steps, 1):
        click.echo(f"── {number} of {len(steps)}: docker compose {' '.join(step)}", err=True)
        if status := compose(docker, folder, *step):
            after = "nothing was changed" if number < len(steps) else "the way back is printed above"
            click.echo(f"Error: step {number} ended with {status}; {after}.", err=True)
            sys.exit(status)
    click.echo("It runs. Labs go on with their old image until they are started anew.")


def compose(docker: str, folder: Path, *arguments: str) -> int:
    """Call compose in the deployment's folder; its exit status."""
    with subprocess.Popen([docker, "compose", *arguments], cwd=folder) as process:  # noqa: S603  no shell
        while True:
            # Ctrl-C reaches compose as well, which ends what it runs in good order: that is waited for.
            with suppress(KeyboardInterrupt):
                return process.wait()
