"""The command `passerelle hub restore`."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import click

from hub.administration import AdministrationError, output
from hub.administration.backup import DEFAULT_FOLDER, INCOMPLETE, password_file
from hub.administration.engine import Engine
from hub.administration.users import database_path
from hub.administration.volume_names import KINDS, escape, volume_of
from hub.administration.worker_container import WorkerMounts, run_worker
from hub.config.settings import RESTORE_MARKS
from hub.storage.quota import format_size
from passerelle_common.atomic_write import atomic_write

# They write to the volumes that a restore overwrites; Traefik only reads.
WRITING_SERVICES = ("hub", "bridge", "cas", "grafana")


@click.command()
@click.argument("folder", default=DEFAULT_FOLDER, required=False)
@click.option("--snapshot", default="", metavar="ID", help="The backup to restore; the newest without it.")
@click.option("--force", is_flag=True, help="Overwrite existing data, which is lost.")
@click.option("--only-databases", is_flag=True, help="Users, sessions, clients and keys: to go back after an upgrade.")
@click.option("--home", default="", metavar="USER", help="Restore this user's home only; services keep running.")
@click.option("--settings-to", default="", metavar="DIRECTORY", help="Write the settings files there; restore no data.")
@click.option("--dry-run", is_flag=True, help="Check the backup and show what would be written; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation with --force.")
def restore(  # noqa: PLR0917  one for each option
    folder: str,
    snapshot: str,
    force: bool,
    only_databases: bool,
    home: str,
    settings_to: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Restore a backup in FOLDER into this project, whose services and labs must be stopped."""
    engine = Engine.open()
    where, home = engine.machine_path(folder), escape(home)
    password = password_file(engine)
    if settings_to:
        mounts = WorkerMounts(target=where, password=password, output=engine.machine_path(settings_to))
        files = run_worker(engine, "settings", mounts, snapshot=snapshot)
        click.echo(f"{len(files)} settings files are in {mounts.output}: {', '.join(files)}")
        return
    if home:
        engine.release_volume(volume_of(engine.project, f"home/{home}").name)
    else:
        check_stopped(engine)
    mounts = WorkerMounts(tuple(engine.volumes()), target=where, password=password, settings=True)
    scope: dict[str, Any] = {"only_databases": only_databases, "home": home}
    found = run_worker(engine, "describe", mounts, project=engine.project, snapshot=snapshot, **scope)
    click.echo(f"{where}: backup {found['snapshot']} of {found['project']}, {found['taken']}.")
    if found["settings"]:
        changed = ", ".join(found["settings"])
        click.echo(f"Its settings differ and are not restored: {changed}. --settings-to DIRECTORY extracts them.")
    check_overwritten(found["overwritten"], force=force, project=engine.project)
    if dry_run:
        click.echo(f"Nothing was written. Without --dry-run, this would write: {', '.join(found['places'])}.")
        return
    if found["overwritten"] and not yes:
        click.confirm("All of this will be lost. Continue?", abort=True)
    write_volumes(engine, where, found, force=force, **scope)
    then = "" if home else " Next: docker compose up -d --build --wait"
    click.echo(f"Restored {len(found['places'])} volumes from backup {found['snapshot']}.{then}")


def write_volumes(engine: Engine, where: str, found: dict[str, Any], **options: Any) -> None:
    """Restore the backup that the worker described as `found`."""
    # The marks of users' volumes are in the hub's.
    volumes = tuple(engine.create_volume(place) for place in sorted({*found["places"], "service/hub-data"}))
    mounts = WorkerMounts(volumes, frozenset(KINDS), target=where, password=password_file(engine))
    options |= {"snapshot": found["snapshot"], "jupyterhub": version("jupyterhub")}
    if options["home"]:
        block_lab(engine, options["home"], found["snapshot"])
    try:
        unrestored = run_worker(engine, "restore", mounts, **options)
    except (AdministrationError, KeyboardInterrupt) as error:
        state = "no lab of this user starts on it" if options["home"] else "no service starts on it"
        raise AdministrationError(
            f"{str(error).rstrip('.') or 'interrupted'}. The restore is unfinished, so {state}; the same command "
            "continues it."
        ) from None
    if unrestored:
        output.print_note(f"INCOMPLETE: {len(unrestored)} files of users could not be restored: {unrestored[0]} …")
        raise SystemExit(INCOMPLETE)


def block_lab(engine: Engine, home: str, snapshot: str) -> None:
    """Mark a home, so that the hub starts no lab on it; raise if one has started meanwhile."""
    mark = database_path().parent / RESTORE_MARKS / "home" / home
    if mark.exists():
        return  # of an interrupted restore
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic_write(mark) as stream:
        stream.write(snapshot.encode())
    try:
        engine.release_volume(volume_of(engine.project, f"home/{home}").name)
    except AdministrationError:
        mark.unlink()
        raise


def check_stopped(engine: Engine) -> None:
    """Raise if anything runs that writes to the volumes of a restore."""
    if running := [name for name in WRITING_SERVICES if name in engine.services()]:
        raise AdministrationError(f"{', '.join(running)} are running: stop them first with `docker compose down`.")
    if labs := engine.labs():
        raise AdministrationError(
            f"{len(labs)} labs are running, such as {labs[0]}: stop them first with "
            f"`docker compose -p {engine.project}-labs down`."
        )


def check_overwritten(found: Sequence[dict[str, Any]], *, force: bool, project: str) -> None:
    """Print what a restore overwrites; raise without `force`."""
    if not found:
        return
    lines = [f"  {one['place']}: {one['files']} entries, {format_size(one['bytes'])}" for one in found]
    text = "\n".join([f"the project {project} is not empty. This would be overwritten:", *lines])
    if not force:
        raise AdministrationError(f"{text}\nUse an empty project (COMPOSE_PROJECT_NAME), or lose this with --force.")
    output.print_note(text)
