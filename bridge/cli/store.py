"""Settings, store and clock for a command."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from bridge.oauth.client_store import ClientStore
from bridge.settings import Settings, default_config_files, load
from bridge.store import Store


@contextmanager
def open_store() -> Iterator[tuple[Settings, Store]]:
    """Load the settings and open the store for a block."""
    umask = os.umask(0o077)  # the first command creates the database, which no other user may read
    try:
        settings = load(os.environ, default_config_files())
        with closing(Store(settings.database_url.get_secret_value())) as store:
            yield settings, store
    finally:
        os.umask(umask)


@contextmanager
def open_clients() -> Iterator[tuple[Settings, ClientStore]]:
    """Open the settings and the clients of this installation."""
    with open_store() as (settings, store):
        yield settings, ClientStore(settings.clients, store, now=now())


def now() -> int:
    """Return the current time in Unix seconds; the only use of the clock in the commands."""
    return int(time.time())
