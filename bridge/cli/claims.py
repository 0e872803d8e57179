"""`passerelle claims`."""

from __future__ import annotations

import click


@click.group()
def claims() -> None:
    """What applications are told about users."""
