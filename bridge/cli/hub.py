"""`passerelle hub` on the host: runs the same command in a container beside the hub through compose.

Only the host can find the deployment folder, and build and start the images of an upgrade.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

COMMANDS = ("backup", "restore", "users", "offboard", "upgrade")
HELP_OPTIONS = frozenset({"--help", "-h"})
# Commands with a folder argument, which compose needs as an absolute path.
FOLDER_COMMANDS = frozenset({"backup", "restore"})
# Their options with a value that is no folder.
VALUE_OPTIONS = frozenset({"--exclude", "--keep-daily", "--keep-weekly", "--keep-monthly", "--snapshot", "--home"})


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hub(arguments: tuple[str, ...]) -> None:
    """Administer the hub of compose.yml: backup, restore, users, offboard, upgrade."""
    docker = shutil.which("docker")
    if not HELP_OPTIONS.isdisjoint(arguments):
        sys.exit(_help(docker, arguments))
    if not arguments:
        raise click.UsageError(f"Missing command; use one of {', '.join(COMMANDS)}.")
    if arguments[0] not in COMMANDS:
        raise click.UsageError(f"No such command {arguments[0]!r}; use one of {', '.join(COMMANDS)}.")
    if docker is None:
        raise click.ClickException("Docker was not found. Run `passerelle hub` on the host of the deployment.")
    folder = find_folder(Path.cwd(), os.environ.get("PASSERELLE_FOLDER", ""))
    if "--dry-run" in arguments:
        _check_creates_nothing(docker, folder)
    if arguments[0] == "upgrade":
        _upgrade(docker, folder, arguments[1:])
        return
    command = _container_command(sys.stdin.isatty(), with_absolute_folder(arguments, Path.cwd()))
    sys.exit(_compose(docker, folder, *command))


def _help(docker: str | None, arguments: Sequence[str]) -> int:
    """Print the help of the hub's image, which knows all options, or a summary if there is no image yet."""
    with suppress(click.ClickException):
        config = _config(docker, find_folder(Path.cwd(), os.environ.get("PASSERELLE_FOLDER", ""))) if docker else {}
        image = str(config.get("services", {}).get("hub", {}).get("image") or f"{config.get('name')}-hub")
        if docker and _exists(docker, "image", image):
            # Not through Compose, which would create networks and volumes.
            command = ["run", "--rm", "--network", "none", "--entrypoint", "passerelle", image, "hub", *arguments]
            return subprocess.run([docker, *command], check=False).returncode  # noqa: S603  no shell
    click.echo(click.get_current_context().get_help())
    click.echo("\nAll options are listed when the hub's image exists (`docker compose build hub`).")
    return 0


def _check_creates_nothing(docker: str, folder: Path) -> None:
    """Reject a dry run without a deployment, because Compose would create its image, networks and volumes first."""
    config = _config(docker, folder)
    service = config["services"]["administration"]
    named = {
        "image": [service.get("image") or f"{config['name']}-hub"],
        "network": [config["networks"][name]["name"] for name in service["networks"]],
        "volume": [
            config["volumes"][mount["source"]]["name"] for mount in service["volumes"] if mount["type"] == "volume"
        ],
    }
    missing = [f"{kind} {name}" for kind, names in named.items() for name in names if not _exists(docker, kind, name)]
    if missing:
        raise click.ClickException(
            f"--dry-run changes nothing, but needs {missing[0]}, which does not exist. Create the deployment first: "
            "`docker compose up --no-start hub`."
        )


def _exists(docker: str, kind: str, name: str) -> bool:
    command = [docker, kind, "inspect", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  no shell


def find_folder(start: Path, named: str) -> Path:
    """Return the deployment folder: the named one, this one, a parent, or the checkout of this program.

    In a checkout with deployment/site/.env it is deployment/site, because the checkout itself is the demo.
    """
    checkout = Path(__file__).resolve().parents[2]
    candidates = [Path(named)] if named else [start, *start.parents, checkout]
    for folder in candidates:
        if any((folder / name).is_file() for name in ("compose.yml", "compose.yaml")):
            site = folder / "deployment" / "site"
            return site if (site / ".env").is_file() else folder
    raise click.ClickException(
        f"No compose.yml found (looked in {named or start}{'' if named else ' and its parents'}). Change to the "
        "deployment folder, or set PASSERELLE_FOLDER."
    )


def _container_command(terminal: bool, arguments: Sequence[str]) -> list[str]:
    return [
        "run",
        "--rm",
        "--no-deps",
        *([] if terminal else ["-T"]),
        "administration",
        "passerelle",
        "hub",
        *arguments,
    ]


def with_absolute_folder(arguments: Sequence[str], here: Path) -> list[str]:
    """Make the folder argument of `backup` and `restore` absolute, leaving option values alone."""
    resolved = list(arguments)
    if not resolved or resolved[0] not in FOLDER_COMMANDS:
        return resolved
    for number, word in enumerate(resolved[1:], 1):
        if not word.startswith("-") and resolved[number - 1] not in VALUE_OPTIONS:
            resolved[number] = os.path.normpath(here / word)
    return resolved


def _config(docker: str, folder: Path) -> dict[str, Any]:
    """Return the configuration of the deployment as Compose reads it."""
    command = [docker, "compose", "config", "--format", "json"]
    config = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  no shell
    if config.returncode:
        raise click.ClickException(f"Compose rejects this checkout: {config.stderr.strip()}")
    return dict(json.loads(config.stdout))


def _plan(docker: str, folder: Path) -> int:
    """Print the changes of an upgrade and return the exit status."""
    config = json.dumps(_config(docker, folder))
    command = [docker, "compose", *_container_command(False, ["upgrade", "--dry-run", "--config", "-"])]
    return subprocess.run(command, cwd=folder, input=config, text=True, check=False).returncode  # noqa: S603  no shell


def _upgrade(docker: str, folder: Path, arguments: Sequence[str]) -> None:
    """Print the changes, confirm, back up, build and start. The rollback instructions are printed before any change."""
    if unknown := set(arguments) - {"--dry-run", "--yes", "--pull"}:
        raise click.UsageError(f"Unknown option {', '.join(sorted(unknown))}; use --dry-run, --yes or --pull.")
    if "--dry-run" in arguments:
        sys.exit(_plan(docker, folder))
    if status := _plan(docker, folder):
        sys.exit(status)
    if "--yes" not in arguments:
        click.confirm("Back up the databases, build and start?", abort=True)
    steps = [
        _container_command(False, ["upgrade", "--yes"]),
        ["build", *(["--pull"] if "--pull" in arguments else [])],
        ["up", "--detach", "--wait"],
    ]
    for number, step in enumerate(steps, 1):
        click.echo(f"── {number} of {len(steps)}: docker compose {' '.join(step)}", err=True)
        if status := _compose(docker, folder, *step):
            after = "nothing was changed" if number < len(steps) else "see the rollback instructions above"
            click.echo(f"Error: step {number} failed with status {status}; {after}.", err=True)
            sys.exit(status)
    click.echo("The upgrade is complete. Running labs keep their old image until they restart.")


def _compose(docker: str, folder: Path, *arguments: str) -> int:
    with subprocess.Popen([docker, "compose", *arguments], cwd=folder) as process:  # noqa: S603  no shell
        while True:
            # Ctrl-C reaches compose as well; wait for its orderly end.
            with suppress(KeyboardInterrupt):
                return process.wait()
