"""The command `passerelle hub backup`."""

import os
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import click

from hub.administration import AdministrationError, output
from hub.administration.engine import Engine, environment_of
from hub.administration.volume_names import KINDS, NOT_BACKED_UP, Volume
from hub.administration.worker_container import WorkerMounts, run_worker
from hub.storage.quota import format_size

DEFAULT_FOLDER = "backups"
PASSWORD_FILE = "backup-password"  # noqa: S105  a file's name
INCOMPLETE = 3
COUNT = click.IntRange(0)


@click.command()
@click.argument("folder", default=DEFAULT_FOLDER, required=False)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Exclude from homes and courses, as in .cache.")
@click.option("--only-databases", is_flag=True, help="Users, sessions, clients and keys; no secrets, no homes.")
@click.option("--without-bridge-database", is_flag=True, help="You back up the bridge's PostgreSQL server yourself.")
@click.option("--keep-daily", type=COUNT, default=0, metavar="N", help="Keep the backups of N days, delete older ones.")
@click.option("--keep-weekly", type=COUNT, default=0, metavar="N", help="Also keep one backup a week for N weeks.")
@click.option("--keep-monthly", type=COUNT, default=0, metavar="N", help="Also keep one backup a month for N months.")
@click.option("--list", "list_only", is_flag=True, help="List the backups in FOLDER.")
@click.option("--dry-run", is_flag=True, help="Show what would be backed up and its size; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to standard error.")
def backup(  # noqa: PLR0917  one for each option
    folder: str,
    exclude: tuple[str, ...],
    only_databases: bool,
    without_bridge_database: bool,
    keep_daily: int,
    keep_weekly: int,
    keep_monthly: int,
    list_only: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Back up this deployment into FOLDER on this machine; services and labs keep running.

    FOLDER is an encrypted restic repository, backups/ beside .env by default. Each run adds what has changed. The exit
    status is 3 if files could not be read.
    """
    engine = Engine.open()
    where = engine.machine_path(folder)
    if list_only:
        rows = run_worker(engine, "snapshots", WorkerMounts(target=where, password=password_file(engine)))
        output.print_rows(rows, as_json, ("BACKUP", "TAKEN", "PROJECT", "CONTENT", "SIZE"), _cells)
        return
    check_bridge_database(engine, excluded=without_bridge_database)
    if dry_run:
        rows = run_worker(engine, "sizes", WorkerMounts(tuple(backed_up_volumes(engine, only_databases))))
        output.print_rows(rows, as_json, (), lambda row: (row["place"], format_size(row["bytes"])))
        if not as_json:
            total = format_size(sum(row["bytes"] for row in rows))
            click.echo(f"{len(rows)} volumes, {total}. Nothing was written.")
        return
    keep = {"daily": keep_daily, "weekly": keep_weekly, "monthly": keep_monthly} if keep_daily else {}
    if (keep_weekly or keep_monthly) and not keep_daily:
        raise click.UsageError("--keep-weekly and --keep-monthly need --keep-daily.")
    result = write_backup(engine, where, exclude=exclude, only_databases=only_databases, keep=keep)
    if as_json:
        output.print_json({"folder": where, **result})
    else:
        size, new = format_size(result["bytes"]), format_size(result["stored"])
        click.echo(f"Backup {result['snapshot']} in {where}: {size}, of which {new} were new.")
    if result["unread"]:
        output.print_note(f"INCOMPLETE: {len(result['unread'])} files could not be read: {result['unread'][0]} …")
        raise SystemExit(INCOMPLETE)


def write_backup(engine: Engine, where: str, *, only_databases: bool, **options: Any) -> dict[str, Any]:
    """Write a backup into a repository on the machine, and return the worker's result."""
    images = {name: str(one.attrs["Config"]["Image"]) for name, one in engine.services().items()}
    mounts = WorkerMounts(
        tuple(backed_up_volumes(engine, only_databases)),
        # SQLite writes to the index of a database that it reads.
        writable_kinds=frozenset({"service"}),
        target=where,
        target_writable=True,
        password=create_password(engine, where),
        settings=True,
    )
    options |= {"project": engine.project, "checkout": engine.checkout(), "only_databases": only_databases}
    options["versions"] = {"jupyterhub": version("jupyterhub"), **images}
    try:
        return dict(run_worker(engine, "backup", mounts, **options))
    except KeyboardInterrupt:
        raise AdministrationError("interrupted: the same command continues it.") from None


def password_file(engine: Engine) -> str:
    """Return the path of the repositories' password on the machine; a relative one starts in the checkout."""
    named = os.environ.get("HUB_BACKUP_PASSWORD_FILE", "").strip()
    return os.path.normpath(PurePosixPath(engine.checkout(), named)) if named else engine.machine_path(PASSWORD_FILE)


def create_password(engine: Engine, repository: str) -> str:
    """Return the path of the password file; create a missing one for a new repository, and advise to copy it."""
    path = PurePosixPath(password_file(engine))
    output_folder = repository if repository != str(path.parent) else ""  # the engine mounts a folder once
    mounts = WorkerMounts(target=str(path.parent), target_writable=True, output=output_folder)
    if run_worker(engine, "password", mounts, file=str(path)):
        output.print_note(
            f"Created {path}, the password of your backups. Copy it to another place now, not beside the backups.\n"
            "Without it no backup can be read, and if only this machine has it, it is lost together with the machine."
        )
    return str(path)


def backed_up_volumes(engine: Engine, only_databases: bool) -> list[Volume]:
    """Return the volumes that a backup reads."""
    kinds = ("service",) if only_databases else KINDS
    return [one for one in engine.volumes(*kinds) if not (one.kind == "service" and one.of in NOT_BACKED_UP)]


def check_bridge_database(engine: Engine, *, excluded: bool) -> None:
    """Raise if the bridge uses a database server, unless the administrator excluded it."""
    bridge = engine.services().get("bridge")
    address = environment_of(bridge).get("PASSERELLE_DATABASE_URL", "") if bridge else ""
    if address.startswith("postgres") and not excluded:
        raise AdministrationError(
            "the bridge's database is on a PostgreSQL server, which this command does not back up: run "
            "`pg_dump --format=custom` there, then this command with --without-bridge-database."
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return row["snapshot"], row["taken"][:19], row["project"], row["content"], format_size(row["bytes"])
