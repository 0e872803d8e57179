"""What a subcommand works with: settings and store, opened once, and every fault as one sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.errors import BridgeError
from bridge.settings import Settings, default_config_files, load
from bridge.store import SqlStore, Store, StoreFailure


@contextmanager
def open_store() -> Iterator[tuple[Settings, Store]]:
    """Settings and store of this installation; the store is closed at the end."""
    # The database is made by whichever command comes first, and is nobody else's business.
    usual = os.umask(0o077)
    try:
        with as_click_error():
            settings = load(os.environ, default_config_files())
            store = SqlStore(settings.database_url.get_secret_value())
            try:
                yield settings, store
            finally:
                store.close()
    finally:
        os.umask(usual)


@contextmanager
def as_click_error() -> Iterator[None]:
    """What our own errors say, and that the database failed, ends the command without a traceback."""
    try:
        yield
    except BridgeError as error:
        raise click.ClickException(error.description) from None
    except StoreFailure as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        raise click.ClickException(f"The database does not do what was asked of it: {reason}.") from None


def now() -> int:
    """Unix seconds: the one place where the commands look at the clock."""
    return int(time.time())
