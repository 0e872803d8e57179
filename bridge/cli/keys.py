"""`passerelle keys`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from bridge.cli.store import now, open_store
from bridge.oauth.keys import ALGORITHMS, REREAD_SECONDS, KeyRing, KeyState, key_states
from bridge.settings import Settings
from bridge.store import Store


@click.group()
def keys() -> None:
    """The keys that sign ID tokens.

    There is a pair of each algorithm. They are made at the first start and replaced by themselves as they grow old.
    """


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def print_keys(as_json: bool) -> None:
    """Show every published key: the one that signs, the next, and the retired."""
    with open_store() as (_, store):
        states = key_states(store.keys.all(), now=now())
    if as_json:
        rows = [
            {"kid": key.kid, "algorithm": key.algorithm, "state": key.state, "since": _moment(key.since)}
            for key in states
        ]
        click.echo(json.dumps(rows, indent=2))
    elif not states:
        click.echo("There are no keys yet: `passerelle serve` makes them.")
    for key in () if as_json else states:
        word = "from" if key.state == "next" else "since"
        click.echo(f"{key.kid}  {key.algorithm}  {key.state:<7}  {word} {_moment(key.since)}")


@keys.command()
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="Of these keys only; all without it.")
@click.option("--now", "at_once", is_flag=True, help="Sign with the new key at once: for a key that leaked.")
def rotate(algorithm: str | None, at_once: bool) -> None:
    """Make new keys; they are published at once and sign two hours later."""
    with open_store() as (settings, store):
        ring = _ring(settings, store)
        for each in ALGORITHMS if algorithm is None else (algorithm,):
            _rotate(ring, each, at_once)


# A kid may begin with "-".
@keys.command("remove", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
def remove(kid: str) -> None:
    """Take a key out of the JWKS: from then on nothing that it signed is valid."""
    with open_store() as (settings, store):
        ring = _ring(settings, store)
        key = next((key for key in ring.states() if key.kid == kid), None)
        if key is None:
            raise click.ClickException(f"There is no key {kid}. `passerelle keys list` shows all.")
        if key.state == "signing":
            remedy = f"`passerelle keys rotate --algorithm {key.algorithm} --now` replaces it; then it can be removed"
            raise click.ClickException(f"The key {kid} signs ID tokens and cannot be removed: {remedy}.")
        ring.remove(kid)
    click.echo(f"Removed {kid} ({key.algorithm}, {key.state}). Workers forget it within {REREAD_SECONDS} seconds,")
    click.echo("applications when they fetch the JWKS again (within the hour, or when they are restarted).")


def _rotate(ring: KeyRing, algorithm: str, at_once: bool) -> None:
    before = [key for key in ring.states() if key.algorithm == algorithm]
    check_none_waits(before, at_once)
    kid = ring.rotate(algorithm, at_once=at_once)
    if kid is None:
        raise click.ClickException(
            f"The bridge itself has just added a key for {algorithm}; see `passerelle keys list`."
        )
    added = next(key for key in ring.states() if key.kid == kid)
    if not at_once:
        click.echo(f"Added {kid} ({algorithm}). It is published now and signs from {_moment(added.since)} on.")
        return
    former = next(key.kid for key in before if key.state == "signing")
    click.echo(f"Added {kid} ({algorithm}). It signs from now on; workers follow within {REREAD_SECONDS} seconds.")
    click.echo(
        f"Warning: an application whose copy of the JWKS is older refuses sign-ins with an unknown kid {kid} until it\n"
        "fetches the JWKS again: most do at once, some within the hour, a few when they are restarted.\n"
        f"The former key is still trusted. If it leaked: passerelle keys remove {former}",
        err=True,
    )


def check_none_waits(states: Sequence[KeyState], at_once: bool) -> None:
    """One key at a time: another one behind a waiting one would only make the JWKS longer."""
    waiting = next((key for key in states if key.state == "next"), None)
    if waiting is not None and not at_once:
        raise click.ClickException(
            f"The next {waiting.algorithm} key {waiting.kid} is already published and signs from "
            f"{_moment(waiting.since)} on. Use --now if the present one must not sign any more."
        )


def _ring(settings: Settings, store: Store) -> KeyRing:
    return KeyRing(store, settings.secret_key.get_secret_value(), time.time)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
