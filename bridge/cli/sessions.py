"""`passerelle sessions` and `passerelle purge`."""

from __future__ import annotations

import click

from bridge.cli.opening import now, opened


@click.group()
def sessions() -> None:
    """The browsers that are signed in."""


@click.command()
def purge() -> None:
    """Delete what nobody can use any more, and say how much; `serve` does it every ten minutes."""
    with opened() as (_, store):
        for name, count in store.purge(now=now()).items():
            click.echo(f"{name}: {count}")
