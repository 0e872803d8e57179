"""`passerelle sessions`, `passerelle logout-deliveries` and `passerelle purge`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from bridge.cli.output import print_json, print_table, printable
from bridge.cli.store import now, open_store
from bridge.oauth.clients import ClientRegistry
from bridge.oauth.logout import end_stored_session

as_json = click.option("--json", "wants_json", is_flag=True, help="Print JSON, with times in Unix seconds.")


@click.group()
def sessions() -> None:
    """List and end browser sessions."""


@sessions.command("list")
@click.option("--subject", help="Only sessions of this subject.")
@as_json
def list_sessions(subject: str | None, wants_json: bool) -> None:
    """List the active sessions, newest first."""
    with open_store() as (_, store):
        if subject is None:
            found = store.sessions.list_active(now=now())
        else:
            found = store.sessions.list_by_subject(subject, now=now())
    rows = [  # no value of them authenticates
        {
            "sid": session.sid,
            "subject": session.identity.subject,
            "username": session.identity.username,
            "auth_time": session.auth_time,
            "expires_at": session.expires_at,
        }
        for session in found
    ]
    _print(rows, wants_json, "There are no sessions.")


@sessions.command("subjects")
@click.argument("username")
@as_json
def list_subjects(username: str, wants_json: bool) -> None:
    """List the subjects of a username with a session or a grant, ignoring case.

    `sessions end --subject` takes a subject, which can differ from the username.
    """
    with open_store() as (_, store):
        identities = (session.identity for session in store.sessions.list_active(now=now()))
        found = {identity.subject for identity in identities if identity.username.lower() == username.lower()}
        found.update(store.grants.find_subjects(username))
    _print([{"subject": subject} for subject in sorted(found)], wants_json, "No session or grant has this username.")


# A session id can begin with a dash and look like an option.
@sessions.command("end", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("sid", required=False)
@click.option("--subject", help="End all sessions of this subject.")
@click.option("--all-access", is_flag=True, help="With --subject: also revoke offline access.")
def end_sessions(sid: str | None, subject: str | None, all_access: bool) -> None:
    """End one session, or all sessions of a subject, as a logout does.

    The tokens of the session are revoked, except offline access. The running bridge notifies the clients by
    back-channel logout within seconds.

    \b
    Examples:
        passerelle sessions end 3qX0…
        passerelle sessions end --subject alice --all-access
    """
    if (sid is None) == (subject is None):
        raise click.UsageError("Give either a SID or --subject; `sessions list` shows both.")
    if all_access and subject is None:
        raise click.UsageError("--all-access requires --subject.")
    with open_store() as (settings, store):
        moment = now()
        of_subject = () if subject is None else store.sessions.list_by_subject(subject, now=moment)
        sids = [session.sid for session in of_subject] if sid is None else [sid]
        clients = ClientRegistry(settings.clients, store, clock=now)
        ended = sum(end_stored_session(store, clients, each, now=moment) for each in sids)
        revoked = store.grants.revoke_subject(subject, now=moment) if all_access and subject is not None else 0
    if not ended and not revoked:
        raise click.ClickException("No such session; `passerelle sessions list` shows the active ones.")
    click.echo(f"{ended} session{'s' * (ended != 1)} ended.")
    if revoked:
        click.echo(f"{revoked} further grant{'s' * (revoked != 1)} revoked.")


@click.group("logout-deliveries")
def logout_deliveries() -> None:
    """Show pending back-channel logout notifications."""


@logout_deliveries.command("list")
@as_json
def list_deliveries(wants_json: bool) -> None:
    """List the clients that have not confirmed a logout, with the last error.

    `serve` retries with increasing intervals for a day. Failed deliveries are kept for a week.
    """
    with open_store() as (_, store):
        found = store.deliveries.list_waiting()
    names = ("client_id", "uri", "sid", "created_at", "attempts", "next_attempt_at", "last_error")
    rows = [{name: getattr(delivery, name) for name in names} for delivery in found]
    _print(rows, wants_json, "There are no pending deliveries.")


@click.command()
def purge() -> None:
    """Delete expired records and print their numbers. `serve` does this regularly."""
    with open_store() as (_, store):
        for name, count in store.purge(now=now()).items():
            click.echo(f"{name}: {count}")


def _print(rows: Sequence[dict[str, Any]], wants_json: bool, nothing: str) -> None:
    if wants_json:
        print_json(rows)
    elif not rows:
        click.echo(nothing)
    else:
        titles = [name.removesuffix("_at").upper() for name in rows[0]]
        print_table([titles, *([_cell(name, value) for name, value in row.items()] for row in rows)])


def _cell(name: str, value: Any) -> str:
    """Format a value; control characters of external text must not reach the terminal."""
    if name == "auth_time" or name.endswith("_at"):
        return "never" if value is None else f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z"
    return printable(str(value)) or "-"
