"""`passerelle keys`."""

from __future__ import annotations

import click


@click.group()
def keys() -> None:
    """The keys that sign ID tokens."""
