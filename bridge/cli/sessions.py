"""`passerelle sessions` and `passerelle purge`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from bridge.cli.store import now, open_store
from bridge.oauth.clients import ClientRegistry
from bridge.oauth.logout import end_stored_session
from bridge.store import LogoutDelivery, Session

as_json = click.option("--json", "wants_json", is_flag=True, help="Print JSON, times in Unix seconds.")


@click.group()
def sessions() -> None:
    """The browsers that are signed in, and the applications that wait to hear who is not any more."""


@sessions.command("list")
@click.option("--subject", help="Of this user only.")
@as_json
def list_sessions(subject: str | None, wants_json: bool) -> None:
    """Who is signed in, the newest session first."""
    with open_store() as (_, store):
        found = store.sessions.all(now=now()) if subject is None else store.sessions.of_subject(subject, now=now())
    _print([_told_of_session(session) for session in found], wants_json, "Nobody is signed in.")


@sessions.command("subjects")
@click.argument("username")
@as_json
def list_subjects(username: str, wants_json: bool) -> None:
    """The subjects of a user name, in whatever case: of whoever is signed in by it, or left an application access.

    A subject is what `sessions end --subject` takes; it need not be the name that people know.
    """
    with open_store() as (_, store):
        signed_in = (session.identity for session in store.sessions.all(now=now()))
        found = {one.subject for one in signed_in if one.username.lower() == username.lower()}
        found.update(store.grants.subjects_named(username))
    _print([{"subject": subject} for subject in sorted(found)], wants_json, "Nothing is left of anybody of that name.")


# An SID may begin with a dash, and have letters in it that elsewhere are options.
@sessions.command("end", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("sid", required=False)
@click.option("--subject", help="End every session of this user.")
@click.option("--all-access", is_flag=True, help="With --subject: take back offline access as well.")
def end_sessions(sid: str | None, subject: str | None, all_access: bool) -> None:
    """End one session, or all of a user, as if the user had signed out.

    What was given out under it stops working, except for offline access; the applications that asked to be told
    are told within seconds by the running bridge.
    """
    if (sid is None) == (subject is None):
        raise click.UsageError("Name one session by its SID, or a user by --subject; `sessions list` has both.")
    if all_access and subject is None:
        raise click.UsageError("--all-access goes with --subject.")
    with open_store() as (settings, store):
        moment = now()
        of_subject = () if subject is None else store.sessions.of_subject(subject, now=moment)
        sids = [session.sid for session in of_subject] if sid is None else [sid]
        clients = ClientRegistry(settings.clients, store, clock=now)
        ended = sum(end_stored_session(store, clients, each, now=moment) for each in sids)
        revoked = store.grants.revoke_subject(subject, now=moment) if all_access and subject is not None else 0
    if not ended and not revoked:
        raise click.ClickException("There is no such session, or it has ended before; `sessions list` has all.")
    click.echo(f"{ended} session{'s' * (ended != 1)} ended.")
    if revoked:
        click.echo(f"{revoked} further grant{'s' * (revoked != 1)} taken back.")


@sessions.command("deliveries")
@as_json
def list_deliveries(wants_json: bool) -> None:
    """The applications that still have to be told that a session ended, and why they do not know yet.

    `serve` tells them, tries again with growing pauses for a day, and keeps what it gave up for a week.
    """
    with open_store() as (_, store):
        found = store.deliveries.waiting()
    _print([_told_of_delivery(delivery) for delivery in found], wants_json, "Every application knows.")


@click.command()
def purge() -> None:
    """Delete what nobody can use any more, and say how much; `serve` does it every ten minutes."""
    with open_store() as (_, store):
        for name, count in store.purge(now=now()).items():
            click.echo(f"{name}: {count}")


def _told_of_session(session: Session) -> dict[str, Any]:
    """Nothing of it signs anybody in."""
    return {
        "sid": session.sid,
        "subject": session.identity.subject,
        "username": session.identity.username,
        "auth_time": session.auth_time,
        "expires_at": session.expires_at,
    }


def _told_of_delivery(delivery: LogoutDelivery) -> dict[str, Any]:
    return {
        "client_id": delivery.client_id,
        "uri": delivery.uri,
        "sid": delivery.sid,
        "created_at": delivery.created_at,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "last_error": delivery.last_error,
    }


def _print(rows: Sequence[dict[str, Any]], wants_json: bool, nothing: str) -> None:
    """A JSON array for scripts, a table for people."""
    if wants_json:
        click.echo(json.dumps(list(rows), indent=2))
        return
    if not rows:
        click.echo(nothing)
        return
    table = [[name.removesuffix("_at").upper() for name in rows[0]]]
    table += [[_cell(name, value) for name, value in row.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(name: str, value: Any) -> str:
    """Names and errors come from outside: nothing in them may steer a terminal."""
    if name == "auth_time" or name.endswith("_at"):
        return "never" if value is None else f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z"
    return "".join(letter if letter.isprintable() else "?" for letter in str(value)) or "-"
