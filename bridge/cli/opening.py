"""What a subcommand works with: settings and store, opened once, and every fault as one sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.errors import ConfigurationError
from bridge.settings import Settings, load
from bridge.store import SqlStore, Store


@contextmanager
def opened() -> Iterator[tuple[Settings, Store]]:
    """Settings and store of this installation; the store is closed at the end."""
    try:
        settings = load(os.environ)
        store = SqlStore(settings.database_url.get_secret_value())
    except ConfigurationError as error:
        raise click.ClickException(error.description) from None
    try:
        yield settings, store
    finally:
        store.close()


def now() -> int:
    """Unix seconds: the one place where the commands look at the clock."""
    return int(time.time())
