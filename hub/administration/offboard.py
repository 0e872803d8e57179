"""`passerelle hub offboard`: somebody left. Their home is archived and read again before anything of it is deleted."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import click

from hub.administration import free_volume, output
from hub.administration.engine import Engine, Inside
from hub.administration.faults import AdministrationError
from hub.administration.names import Volume, escape, size, volume_name
from hub.administration.running_hub import RunningHub
from hub.administration.user_records import Traces
from hub.administration.users_db import database

BRIDGE = "bridge"
USUAL_DAYS = 180


@dataclass(frozen=True)
class Plan:
    """What there is of somebody."""

    user: str
    known: bool
    labs: tuple[str, ...]
    subjects: tuple[str, ...]
    """What the bridge calls them."""
    home: Volume | None
    days: int
    folder: str
    noted: bool = False
    """The hub has notes of them beside its database."""

    @property
    def steps(self) -> list[str]:
        """What will be done, in this order."""
        home = self.home
        found = [
            f"end every session and all access of {', '.join(self.subjects)} at the bridge" if self.subjects else "",
            f"stop {len(self.labs)} running lab{'s' * (len(self.labs) != 1)}" if self.labs else "",
            f"delete {self.user} from the hub, with tokens and memberships" if self.known else "",
            f"archive the home into {self.folder} and keep it for {self.days} days" if home else "",
            f"delete the volume {home.name}" if home else "",
            f"forget which terms of use {self.user} accepted, and how large the home was" if home or self.noted else "",
        ]
        return [step for step in found if step]


@click.command()
@click.argument("user", required=False)
@click.option(
    "--archive", "folder", default="archives", show_default="archives/ beside .env", help="Folder of archives."
)
@click.option("--keep-days", type=click.IntRange(0, 36500), help="How long; HUB_OFFBOARD_RETENTION_DAYS without it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "wants_list", is_flag=True, help="The archives that there are, and until when.")
@click.option("--purge-expired", is_flag=True, help="Delete archives whose time has come: for a daily timer.")
@click.option("--json", "wants_json", is_flag=True, help="The result as JSON.")
def offboard(  # noqa: PLR0917  one for each option
    user: str | None,
    folder: str,
    keep_days: int | None,
    dry_run: bool,
    yes: bool,
    wants_list: bool,
    purge_expired: bool,
    wants_json: bool,
) -> None:
    """Take USER out of bridge and hub, keep their home as an archive for a while, and free its volume.

    Says what it will do and asks. It cannot take an account away at CAS: do that first, or whoever has one there
    and is in an allowed group signs in again, to an empty home.
    """
    if bool(user) == (wants_list or purge_expired) or (wants_list and purge_expired):
        raise click.UsageError("Name one user, or give one of --list and --purge-expired.")
    engine = Engine.open()
    where = engine.on_machine(folder)
    if user is None:
        _archives(engine, where, purge=purge_expired and not dry_run, expired=purge_expired, wants_json=wants_json)
        return
    plan = look(engine, RunningHub(), user, where, days_to_keep(keep_days))
    if not plan.steps:
        raise AdministrationError(f"there is nothing of {user!r}: `passerelle hub users` names everybody.")
    for number, step in enumerate(plan.steps, 1):
        output.say(f"{number}. {step}")
    if dry_run:
        click.echo("Nothing was done.")
        return
    if not yes:
        click.confirm(f"Offboard {user}?", abort=True)
    told = carry_out(engine, RunningHub(), plan)
    if wants_json:
        output.as_json(told)
    else:
        click.echo(
            f"{user} is out." + (f" The home is in {where}/{told['file']} until {told['until']}." if told else "")
        )


def days_to_keep(wanted: int | None) -> int:
    """What was asked for, or what .env says."""
    text = os.environ.get("HUB_OFFBOARD_RETENTION_DAYS", "").strip()
    if wanted is not None or not text:
        return USUAL_DAYS if wanted is None else wanted
    if not text.isdigit():
        raise AdministrationError(
            f"HUB_OFFBOARD_RETENTION_DAYS is {text!r}, which is no number of days: mend it in .env."
        )
    return int(text)


def look(engine: Engine, hub: RunningHub, user: str, where: str, days: int) -> Plan:
    """What there is of somebody."""
    known = hub.user(user)
    homes = {one.of: one for one in engine.volumes() if one.kind == "home"}
    return Plan(
        user=user,
        known=known is not None,
        labs=tuple((known or {}).get("servers", {})),
        subjects=tuple(subjects_of(engine, user)),
        home=homes.get(escape(user)),
        days=days,
        folder=where,
        noted=_traces(engine, user).there(),
    )


def subjects_of(engine: Engine, user: str) -> list[str]:
    """By what names the bridge knows a user of the hub, which writes every name in lower case.

    :raises AdministrationError: if it does not say
    """
    if BRIDGE not in engine.services() and os.environ.get("AUTH_METHOD", "") not in ("", BRIDGE):
        output.say("note: the bridge does not run, so that no access of theirs is ended there.")
        return []
    status, said = engine.execute(BRIDGE, "passerelle", "sessions", "subjects", "--json", "--", user)
    try:
        if status == 0:
            return [str(one["subject"]) for one in json.loads(said)]
    except (ValueError, KeyError, TypeError):
        pass
    raise AdministrationError(f"the bridge does not say whether it knows {user}: {_last_line(said)}")


def carry_out(engine: Engine, hub: RunningHub, plan: Plan) -> dict[str, Any]:
    """Do it; run again, it goes on where it stopped."""
    end_access(engine, plan.user)
    if plan.known:
        hub.stop_labs(plan.user)
        hub.delete_user(plan.user)
    told: dict[str, Any] = {}
    if plan.home is not None:
        free_volume.wait_until_free(engine, plan.home.name)
        wish = {"of": plan.home.of, "user": plan.user, "days": plan.days}
        told = output.result(
            engine.inside("archive", wish, Inside((plan.home,), target=plan.folder, makes_target=True))
        )
        free_volume.remove(engine, plan.home.name)
    _traces(engine, plan.user).forget()
    return {name: value for name, value in told.items() if name != "event"}


def end_access(engine: Engine, user: str) -> None:
    """End every session and take back all access, offline access as well; raise if any is left."""
    said = ""
    for subject in subjects_of(engine, user):
        _, said = engine.execute(BRIDGE, "passerelle", "sessions", "end", f"--subject={subject}", "--all-access")
    # What counts is what is left: a session may have ended by itself, or a new one have begun.
    if left := subjects_of(engine, user):
        raise AdministrationError(
            f"the bridge still has access of {', '.join(left)}: {_last_line(said)} If they sign in again and again, "
            "take their account away first. Run this again."
        )


def _traces(engine: Engine, user: str) -> Traces:
    return Traces(database().parent, user, volume_name(engine.project, f"home/{escape(user)}"))


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing."])[-1]


def _archives(engine: Engine, where: str, *, purge: bool, expired: bool, wants_json: bool) -> None:
    sees = Inside(target=where, makes_target=True)
    events = list(output.follow(engine.inside("purge" if purge else "archives", {}, sees)))
    rows = [event for event in events if event["event"] == "archive" and (event["expired"] or not expired)]
    if wants_json:
        output.as_json([{name: value for name, value in row.items() if name != "event"} for row in rows])
    elif rows:
        heading = ("ARCHIVE", "USER", "SIZE", "DELETED" if purge else "UNTIL")
        output.table([heading, *((row["file"], row["user"], size(row["bytes"]), row["until"]) for row in rows)])
    else:
        click.echo("No archive has to go." if expired else "There are no archives.")
