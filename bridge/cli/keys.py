"""`passerelle keys`."""

import time
from datetime import UTC, datetime

import click

from bridge.cli.output import print_json
from bridge.cli.store import now, open_store
from bridge.oauth.keys import ALGORITHMS, REREAD_SECONDS, KeyRing, key_states
from bridge.settings import Settings
from bridge.store import Store


@click.group()
def keys() -> None:
    """List, rotate and remove the keys that sign ID tokens.

    Keys are created at the first start, for each algorithm, and rotated automatically.
    """


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def print_keys(as_json: bool) -> None:
    """List the published keys: signing, next and retired."""
    with open_store() as (_, store):
        states = key_states(store.keys.all(), now=now())
    if as_json:
        names = ("kid", "algorithm", "state")
        print_json([{name: getattr(key, name) for name in names} | {"since": _moment(key.since)} for key in states])
    elif not states:
        click.echo("There are no keys yet; `passerelle serve` creates them.")
    for key in () if as_json else states:
        word = "from" if key.state == "next" else "since"
        click.echo(f"{key.kid}  {key.algorithm}  {key.state:<7}  {word} {_moment(key.since)}")


@keys.command()
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="Only this algorithm; by default all.")
@click.option("--now", "at_once", is_flag=True, help="Sign with the new key at once, if a key was compromised.")
def rotate(algorithm: str | None, at_once: bool) -> None:
    """Create new keys, which are published at once and sign after two hours."""
    with open_store() as (settings, store):
        ring = _ring(settings, store)
        for each in ALGORITHMS if algorithm is None else (algorithm,):
            _rotate(ring, each, at_once)


# A kid can begin with "-" and look like an option.
@keys.command("remove", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
def remove(kid: str) -> None:
    """Remove a key from the JWKS. Tokens that it signed become invalid."""
    with open_store() as (settings, store):
        ring = _ring(settings, store)
        key = next((key for key in ring.states() if key.kid == kid), None)
        if key is None:
            raise click.ClickException(f"No key {kid}; `passerelle keys list` shows all keys.")
        if key.state == "signing":
            raise click.ClickException(
                f"The key {kid} signs ID tokens and cannot be removed. First replace it with "
                f"`passerelle keys rotate --algorithm {key.algorithm} --now`."
            )
        ring.remove(kid)
    click.echo(f"Removed {kid} ({key.algorithm}, {key.state}). Workers drop it within {REREAD_SECONDS} seconds.")
    click.echo("Clients drop it when they fetch the JWKS again: within an hour, or at their restart.")


def _rotate(ring: KeyRing, algorithm: str, at_once: bool) -> None:
    before = [key for key in ring.states() if key.algorithm == algorithm]
    waiting = next((key for key in before if key.state == "next"), None)
    if waiting is not None and not at_once:
        raise click.ClickException(
            f"The next {waiting.algorithm} key {waiting.kid} is already published and signs from "
            f"{_moment(waiting.since)}. Use --now if the current key must stop signing."
        )
    kid = ring.rotate(algorithm, at_once=at_once)
    if kid is None:
        raise click.ClickException(f"A key for {algorithm} was just added by the bridge; see `passerelle keys list`.")
    added = next(key for key in ring.states() if key.kid == kid)
    if not at_once:
        click.echo(f"Added {kid} ({algorithm}). It is published now and signs from {_moment(added.since)}.")
        return
    former = next(key.kid for key in before if key.state == "signing")
    click.echo(f"Added {kid} ({algorithm}). It signs now; workers switch within {REREAD_SECONDS} seconds.")
    click.echo(
        f"Warning: clients with a cached JWKS reject logins with the unknown kid {kid} until they fetch it again:\n"
        "most do at once, some within an hour, a few only at their restart.\n"
        f"The former key is still trusted. If it was compromised: passerelle keys remove {former}",
        err=True,
    )


def _ring(settings: Settings, store: Store) -> KeyRing:
    return KeyRing(store, settings.secret_key.get_secret_value(), time.time)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
