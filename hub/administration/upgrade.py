"""`passerelle hub upgrade`: what a new checkout changes, and the way back laid before the first step.

Building and starting is compose's: `passerelle hub upgrade` on the machine itself (bridge/cli/hub.py) calls this, then
compose. In a container, this says what to type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

import click

from hub.administration import output
from hub.administration.backup import write_backup
from hub.administration.engine import Engine, Inside
from hub.administration.faults import AdministrationError
from hub.administration.worker.checkout import IMAGES

KEPT_TAG = "before-upgrade"
# Values are shown, except of what may be one.
SHOWN_AT_MOST = 100
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|KEY", re.I)
LIST_MIGRATIONS = "import os, bridge.store.migrations.versions as v; print('\\n'.join(os.listdir(v.__path__[0])))"


@dataclass(frozen=True)
class Service:
    """As it runs, or as it would."""

    image: str
    environment: Mapping[str, str]
    built_in: Collection[str] = field(default=())
    """Names of the environment that are the image's own."""


@click.command()
@click.option("--config", type=click.File("r"), help="`docker compose config --format json`, '-' for standard input.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def upgrade(config: IO[str] | None, dry_run: bool, yes: bool) -> None:
    """Compare this checkout with what runs, back the databases up, and keep the images to go back to."""
    engine = Engine.open()
    for line in look(engine, read_config(config.read()) if config else None) or ["Nothing that can be seen changes."]:
        click.echo(line)
    if dry_run:
        return
    if not yes:
        click.confirm("Back the databases up and keep the present images?", abort=True)
    where = engine.on_machine(f"backups/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{KEPT_TAG}")
    write_backup(engine, where, only_databases=True)
    kept = engine.keep_images(IMAGES, KEPT_TAG)
    click.echo(f"The databases are in {where}; the images stay as {', '.join(kept)}.")
    click.echo("\n".join(next_steps(engine.project, engine.folder, where)))


def next_steps(project: str, folder: str, where: str) -> list[str]:
    """Forward, and back."""
    return [
        f"Both in   {folder}",
        "Forward:  docker compose build && docker compose up -d --wait",
        "Back:     git checkout the version from before, then",
        f"          docker compose down && docker compose -p {project}-labs down",
        "          docker compose build",
        f"          docker compose run --rm --no-deps hub passerelle hub restore {where} --only-databases --force",
        "          docker compose up -d --wait",
    ]


def look(engine: Engine, wanted: Mapping[str, Service] | None) -> list[str]:
    """A line for each thing that would be another."""
    last = engine.last_containers()
    told = output.result(engine.inside("checkout", {}, Inside(settings=True)))
    lines = []
    for name, text in told["requirements"].items():
        if name in last:
            present = versions(engine.read(last[name], "/opt/passerelle/requirements.txt"))
            lines += package_changes(name, present, versions(text))
    if "bridge" in engine.services():
        status, said = engine.execute("bridge", "python", "-c", LIST_MIGRATIONS)
        present_migrations = {line.removesuffix(".py") for line in said.split()} if status == 0 else set()
        lines += migration_changes(present_migrations, told["migrations"]) if present_migrations else []
    if wanted is not None:
        running = {name: as_it_runs(one, engine.image_environment(one)) for name, one in engine.services().items()}
        lines += service_changes(running, wanted)
    return lines


def versions(lock: str) -> dict[str, str]:
    """Package → version, of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))


def package_changes(image: str, present: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What the image would have in another version."""
    changed = [
        f"{image}: {name} {present.get(name, 'is new,')} → {new.get(name, 'taken away')}"
        if name in present
        else f"{image}: {name} {new[name]} is new"
        for name in sorted({*present, *new})
        if present.get(name) != new.get(name)
    ]
    return changed if present else []


def migration_changes(present: Collection[str], new: Sequence[str]) -> list[str]:
    """What the bridge's database would go through, and whether it can."""
    coming = [name for name in new if name not in present]
    gone = sorted(name for name in present if name[:1].isdigit() and name not in new)
    if gone:
        raise AdministrationError(
            f"this checkout is older than what runs: it does not know {gone[-1]}, which the bridge's database has gone "
            "through. To go back, restore a backup from before: `passerelle hub restore … --only-databases --force`."
        )
    return [f"bridge: its database is changed by {name}" for name in coming]


def service_changes(running: Mapping[str, Service], wanted: Mapping[str, Service]) -> list[str]:
    """Services, images and settings."""
    lines = [
        f"{name}: runs, and is not in this configuration (a profile that is off?)"
        for name in sorted({*running} - {*wanted})
    ]
    for name, service in sorted(wanted.items()):
        now = running.get(name)
        if now is None:
            continue  # of a profile that is off, or one that ends by itself
        if service.image and service.image != now.image:
            lines.append(f"{name}: image {now.image} → {service.image}")
        lines += [f"{name}: {line}" for line in setting_changes(now, service.environment)]
    return lines


def setting_changes(now: Service, wanted: Mapping[str, str]) -> list[str]:
    """Of the environment that compose gives a service."""
    present = {key: value for key, value in now.environment.items() if key not in now.built_in or key in wanted}
    lines = []
    for key in sorted({*present, *wanted}):
        before, after = present.get(key), wanted.get(key)
        if before == after:
            continue
        if SECRET.search(key) or max(len(before or ""), len(after or "")) > SHOWN_AT_MOST:
            lines.append(f"{key} changes")
        else:
            lines.append(f"{key} {_shown(before)} → {_shown(after)}")
    return lines


def _shown(value: str | None) -> str:
    return "(unset)" if value is None else repr(value)


def read_config(text: str) -> dict[str, Service]:
    """What compose would run."""
    try:
        services = json.loads(text)["services"]
        return {
            name: Service(
                image=str(one.get("image", "")),
                environment={key: str(value or "") for key, value in (one.get("environment") or {}).items()},
            )
            for name, one in services.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AdministrationError(
            "that is no configuration: pipe `docker compose config --format json` into it."
        ) from None


def as_it_runs(container: Any, built_in: Collection[str]) -> Service:
    """What an engine says of a container."""
    lines = container.attrs["Config"]["Env"] or []
    environment = dict(line.partition("=")[::2] for line in lines)
    return Service(container.attrs["Config"]["Image"], environment, built_in)
