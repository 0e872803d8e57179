"""The command `passerelle hub upgrade`: what a new checkout changes, and the way back.

Compose builds and starts. `passerelle hub upgrade` on the machine (bridge/cli/hub.py) runs this command, then Compose;
in a container, this command prints the remaining steps.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

import click

from hub.administration import AdministrationError
from hub.administration.backup import DEFAULT_FOLDER, write_backup
from hub.administration.engine import Engine, environment_of
from hub.administration.worker.settings import IMAGES
from hub.administration.worker_container import WorkerMounts, run_worker

IMAGE_TAG = "before-upgrade"
MAX_SHOWN = 102  # characters of a value and its quotes
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|KEY", re.I)
LIST_MIGRATIONS = "import os, bridge.store.migrations.versions as v; print('\\n'.join(os.listdir(v.__path__[0])))"


@dataclass(frozen=True)
class Service:
    """A service as it runs, or as Compose would run it; `built_in` are variables that its image sets."""

    image: str
    environment: Mapping[str, str]
    built_in: Collection[str] = field(default=())


@click.command()
@click.option("--config", type=click.File("r"), help="`docker compose config --format json`, '-' for standard input.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def upgrade(config: IO[str] | None, dry_run: bool, yes: bool) -> None:
    """Compare this checkout with what runs, back up the databases, and tag the current images."""
    engine = Engine.open()
    for line in find_changes(engine, parse_config(config.read()) if config else None) or ["No visible changes."]:
        click.echo(line)
    if dry_run:
        return
    if not yes:
        click.confirm("Back up the databases and tag the current images?", abort=True)
    where = engine.machine_path(DEFAULT_FOLDER)
    snapshot = write_backup(engine, where, only_databases=True)["snapshot"]
    images = engine.tag_images(IMAGES, IMAGE_TAG)
    click.echo(f"The databases are backup {snapshot} in {where}; the images are tagged {', '.join(images)}.")
    click.echo("\n".join(next_steps(engine.project, engine.folder, snapshot)))


def next_steps(project: str, folder: str, snapshot: str) -> list[str]:
    """Return the commands that complete the upgrade, and those that undo it."""
    return [
        f"Both in   {folder}",
        "Forward:  docker compose build && docker compose up -d --wait",
        "Back:     git checkout the version from before, then",
        f"          docker compose down && docker compose -p {project}-labs down",
        "          docker compose build",
        "          docker compose run --rm --no-deps administration passerelle hub restore "
        f"--snapshot {snapshot} --only-databases --force",
        "          docker compose up -d --wait",
    ]


def find_changes(engine: Engine, wanted: Mapping[str, Service] | None) -> list[str]:
    """Return a line for each package, migration, image and setting that the checkout changes.

    Args:
        engine: The engine.
        wanted: Compose's configuration; None to compare packages and migrations only.
    """
    containers = engine.services(running_only=False)
    checkout = run_worker(engine, "checkout", WorkerMounts(settings=True))
    lines = []
    for name, text in checkout["requirements"].items():
        if name in containers:
            present = parse_lock(engine.read_file(containers[name], "/opt/passerelle/requirements.txt"))
            lines += package_changes(name, present, parse_lock(text))
    if "bridge" in engine.services():
        status, text = engine.execute("bridge", "python", "-c", LIST_MIGRATIONS)
        migrations = {line.removesuffix(".py") for line in text.split()} if status == 0 else set()
        lines += migration_changes(migrations, checkout["migrations"]) if migrations else []
    if wanted is not None:
        running = {
            name: Service(one.attrs["Config"]["Image"], environment_of(one), environment_of(engine.image_of(one)))
            for name, one in engine.services().items()
        }
        lines += service_changes(running, wanted)
    return lines


def parse_lock(text: str) -> dict[str, str]:
    """Return the versions of the packages in a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


def package_changes(image: str, present: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return a line for each package of an image that changes."""
    return [
        f"{image}: {name} {new[name]} is new"
        if name not in present
        else f"{image}: {name} {present[name]} → {new.get(name, 'removed')}"
        for name in (_different(present, new) if present else ())
    ]


def migration_changes(present: Collection[str], new: Sequence[str]) -> list[str]:
    """Return a line for each migration of the bridge's database."""
    unknown = sorted(name for name in present if name[:1].isdigit() and name not in new)
    if unknown:
        raise AdministrationError(
            f"this checkout is older than what runs: it lacks the migration {unknown[-1]} of the bridge's database. To "
            "go back, restore an older backup: `passerelle hub restore --snapshot … --only-databases --force`."
        )
    return [f"bridge: migration {name} changes the database" for name in new if name not in present]


def service_changes(running: Mapping[str, Service], wanted: Mapping[str, Service]) -> list[str]:
    """Return a line for each service, image and setting that changes."""
    lines = [
        f"{name}: runs but is not in this configuration (an inactive profile?)"
        for name in sorted({*running} - {*wanted})
    ]
    # A service that does not run is of an inactive profile, or ends by itself.
    for name in sorted({*running} & {*wanted}):
        now, new = running[name], wanted[name]
        if new.image and new.image != now.image:
            lines.append(f"{name}: image {now.image} → {new.image}")
        lines += [f"{name}: {line}" for line in setting_changes(now, new.environment)]
    return lines


def setting_changes(now: Service, wanted: Mapping[str, str]) -> list[str]:
    """Return a line for each environment variable that changes; values of secrets are not shown."""
    present = {key: value for key, value in now.environment.items() if key not in now.built_in or key in wanted}
    lines = []
    for key in _different(present, wanted):
        before, after = (repr(found[key]) if key in found else "(unset)" for found in (present, wanted))
        hidden = SECRET.search(key) or max(len(before), len(after)) > MAX_SHOWN
        lines.append(f"{key} changes" if hidden else f"{key} {before} → {after}")
    return lines


def parse_config(text: str) -> dict[str, Service]:
    """Parse the output of `docker compose config --format json`."""
    try:
        return {
            name: Service(
                image=str(service.get("image", "")),
                environment={key: str(value or "") for key, value in (service.get("environment") or {}).items()},
            )
            for name, service in json.loads(text)["services"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AdministrationError(
            "this is not a Compose configuration: pipe `docker compose config --format json` into the command."
        ) from None


def _different(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
