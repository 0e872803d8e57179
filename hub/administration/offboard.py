"""The command `passerelle hub offboard`, for users who left."""

import json
import os
from dataclasses import dataclass, replace
from typing import Any

import click

from hub.administration import AdministrationError, output
from hub.administration.backup import create_password, password_file
from hub.administration.engine import Engine
from hub.administration.hub_api import HubApi
from hub.administration.users import database_path
from hub.administration.volume_names import Volume, escape, volume_of
from hub.administration.worker_container import MissingPathError, WorkerMounts, run_worker
from hub.config.settings import RESTORE_MARKS
from hub.storage.quota import Ledger, format_size
from hub.web.terms import Acceptances

BRIDGE = "bridge"


@dataclass(frozen=True)
class Plan:
    """The data of a user that offboarding will remove; `known` to the hub, `subjects` of the bridge."""

    user: str
    known: bool
    labs: tuple[str, ...]
    subjects: tuple[str, ...]
    home: Volume | None
    days: int
    folder: str
    has_records: bool = False

    @property
    def steps(self) -> list[str]:
        """Return descriptions of the steps, in their order."""
        home = self.home
        steps = [
            f"end every session and all access of {', '.join(self.subjects)} at the bridge" if self.subjects else "",
            f"stop {len(self.labs)} running lab{'s' * (len(self.labs) != 1)}" if self.labs else "",
            f"delete {self.user} from the hub, with tokens and memberships" if self.known else "",
            f"archive the home in {self.folder} and keep it for {self.days} days" if home else "",
            f"delete the volume {home.name}" if home else "",
            f"delete the records of {self.user}: terms accepted, size of the home" if home or self.has_records else "",
        ]
        return [step for step in steps if step]


@click.command()
@click.argument("user", required=False)
@click.option("--archive", "folder", default="archives", show_default="archives/ beside .env", help="The archives.")
@click.option(
    "--keep-days",
    type=click.IntRange(0, 36500),
    default=180,
    envvar="HUB_OFFBOARD_RETENTION_DAYS",
    show_envvar=True,
    help="Days to keep the archive.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--list", "list_only", is_flag=True, help="List the archives and when they expire.")
@click.option("--purge-expired", is_flag=True, help="Delete expired archives; for a daily timer.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def offboard(  # noqa: PLR0917  one for each option
    user: str | None,
    folder: str,
    keep_days: int,
    dry_run: bool,
    yes: bool,
    list_only: bool,
    purge_expired: bool,
    as_json: bool,
) -> None:
    """Remove USER from bridge and hub, archive the home for a limited time, and delete its volume.

    The command shows its steps and asks for confirmation. It cannot remove the account at CAS: do that first, or the
    user can sign in again to an empty home.
    """
    if bool(user) == (list_only or purge_expired) or (list_only and purge_expired):
        raise click.UsageError("Name one user, or pass one of --list and --purge-expired.")
    engine = Engine.open()
    where = engine.machine_path(folder)
    if user is None:
        print_archives(engine, where, purge=purge_expired and not dry_run, expired_only=purge_expired, as_json=as_json)
        return
    hub = HubApi()
    plan = _make_plan(engine, hub, user, where, keep_days)
    if not plan.steps:
        raise AdministrationError(f"there is no data of {user!r}: `passerelle hub users` lists all users.")
    for number, step in enumerate(plan.steps, 1):
        output.print_note(f"{number}. {step}")
    if dry_run:
        click.echo("Nothing was changed.")
        return
    if not yes:
        click.confirm(f"Offboard {user}?", abort=True)
    result = carry_out(engine, hub, plan)
    if as_json:
        output.print_json(result)
    else:
        archive = f" The home is archive {result['archive']} in {where} until {result['until']}." if result else ""
        click.echo(f"{user} is offboarded.{archive}")


def _make_plan(engine: Engine, hub: HubApi, user: str, where: str, days: int) -> Plan:
    known = hub.user(user)
    return Plan(
        user=user,
        known=known is not None,
        labs=tuple((known or {}).get("servers", {})),
        subjects=tuple(find_subjects(engine, user)),
        home=next((volume for volume in engine.volumes("home") if volume.of == escape(user)), None),
        days=days,
        folder=where,
        has_records=has_records(engine, user),
    )


def find_subjects(engine: Engine, user: str) -> list[str]:
    """Return the bridge's subjects for a user of the hub, whose name is in lower case there."""
    if BRIDGE not in engine.services() and os.environ.get("AUTH_METHOD", "") not in ("", BRIDGE):
        output.print_note("note: the bridge does not run, so no access is ended there.")
        return []
    status, text = engine.execute(BRIDGE, "passerelle", "sessions", "subjects", "--json", "--", user)
    try:
        if status == 0:
            return [str(one["subject"]) for one in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        pass
    raise AdministrationError(f"the bridge does not report the sessions of {user}: {_last_line(text)}")


def carry_out(engine: Engine, hub: HubApi, plan: Plan) -> dict[str, Any]:
    """Offboard a user; run again after an interruption, it continues.

    Returns:
        The archive's id, expiry and size in bytes; empty if there was no home.
    """
    end_access(engine, plan.user)
    if plan.known:
        hub.stop_labs(plan.user)
        hub.delete_user(plan.user)
    result: dict[str, Any] = {}
    if plan.home is not None:
        engine.release_volume(plan.home.name)
        password = create_password(engine, plan.folder)
        mounts = WorkerMounts((plan.home,), target=plan.folder, target_writable=True, password=password)
        options = {"project": engine.project, "home": plan.home.of, "days": plan.days}
        result = run_worker(engine, "archive", mounts, **options)
        engine.remove_volume(plan.home.name)
    # Not before the home is gone, because a measurement would record it again.
    delete_records(engine, plan.user)
    return result


def end_access(engine: Engine, user: str) -> None:
    """End every session and revoke all access, offline access included."""
    text = ""
    for subject in find_subjects(engine, user):
        _, text = engine.execute(BRIDGE, "passerelle", "sessions", "end", f"--subject={subject}", "--all-access")
    # Look again instead of counting: a session may have expired, or a new one begun.
    if remaining := find_subjects(engine, user):
        raise AdministrationError(
            f"the bridge still has access of {', '.join(remaining)}: {_last_line(text)} If the user keeps signing in, "
            "remove the account at CAS first. Then run this again."
        )


def has_records(engine: Engine, user: str) -> bool:
    """Return whether the hub has accepted terms or a measured size of a user's home."""
    data_dir = database_path().parent
    return Acceptances(data_dir).has_any(user) or Ledger(data_dir).has(_home_name(engine, user))


def delete_records(engine: Engine, user: str) -> None:
    """Delete a user's accepted terms, the measured size of the home, and the mark of an unfinished restore."""
    data_dir = database_path().parent
    (data_dir / RESTORE_MARKS / "home" / escape(user)).unlink(missing_ok=True)
    Acceptances(data_dir).delete(user)
    Ledger(data_dir).delete(_home_name(engine, user))


def print_archives(engine: Engine, where: str, *, purge: bool, expired_only: bool, as_json: bool) -> None:
    """Print the archives in a repository; delete the expired ones before with `purge`."""
    mounts = WorkerMounts(target=where, password=password_file(engine))
    try:
        rows = run_worker(engine, "archives", mounts)
        if purge and any(row["expired"] for row in rows):
            rows = run_worker(engine, "purge", replace(mounts, target_writable=True))
    except MissingPathError as error:
        if error.path != where:
            raise
        rows = []  # no home has been archived yet
    rows = [row for row in rows if row["expired"] or not expired_only]
    if rows or as_json:
        heading = ("ARCHIVE", "USER", "SIZE", "DELETED" if purge else "UNTIL")
        output.print_rows(
            rows, as_json, heading, lambda row: (row["archive"], row["user"], format_size(row["bytes"]), row["until"])
        )
    else:
        click.echo("No archive has expired." if expired_only else "There are no archives.")


def _home_name(engine: Engine, user: str) -> str:
    return volume_of(engine.project, f"home/{escape(user)}").name


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output."])[-1]
