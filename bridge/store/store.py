"""The store on SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Statements are module constants, because building one costs more than running it.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal, Self

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.store.clients import Clients
from bridge.store.database import NOW, REQUEST_WAIT_SECONDS, is_absent, open_engine
from bridge.store.deliveries import Deliveries
from bridge.store.failures import Failures
from bridge.store.grants import Grants
from bridge.store.keys import Keys
from bridge.store.migrations import as_config_error, migrate, preload_migrations, schema_state
from bridge.store.pending_logins import PendingLogins
from bridge.store.purge import PURGES, SHORT_LIVED
from bridge.store.schema import logout_deliveries, sessions
from bridge.store.sessions import Sessions
from bridge.store.user_names import UserNames

CHECK_SECONDS = 5

NotReady = Literal["absent", "empty", "older"]
"""The reason why `open_existing` cannot read a database that `Store(url)` would create or migrate."""

TOTALS = select(
    select(func.count()).where(sessions.c.expires_at > NOW, sessions.c.ended_at.is_(None)).label("sessions"),
    select(func.count()).select_from(logout_deliveries).label("logout_deliveries_waiting"),
    select(func.count()).where(logout_deliveries.c.next_attempt_at.is_(None)).label("logout_deliveries_given_up"),
)


class _Check:
    """A trial that writes, at most one at a time and one in a few seconds; anyone can ask for it."""

    def __init__(self, attempt: Callable[[], None]) -> None:
        self._attempt = attempt
        self._lock = threading.Lock()
        self._finished_at = -math.inf
        self._failure: SQLAlchemyError | None = None

    def run(self) -> None:
        """Raise the failure of the trial. A failure is repeated only to callers that waited for the same trial."""
        asked_at = time.monotonic()
        with self._lock:
            if asked_at >= self._finished_at + (0 if self._failure else CHECK_SECONDS):
                self._failure = None
                try:
                    self._attempt()
                except SQLAlchemyError as failure:
                    self._failure = failure
                self._finished_at = time.monotonic()
            if self._failure is not None:
                raise self._failure


class Store:
    """Everything that must survive a restart."""

    def __init__(self, url: str) -> None:
        """Connect, and migrate the database; raise ConfigurationError if it cannot be used."""
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        self._use(open_engine(url, wait_seconds=REQUEST_WAIT_SECONDS))

    @staticmethod
    def preload(url: str) -> None:
        """Import what `Store(url)` needs, for a process that then becomes a user who cannot read the program."""
        open_engine(url).dispose()
        preload_migrations()

    @classmethod
    def open_existing(cls, url: str) -> Self | NotReady:
        """Open a database without changes; raise ConfigurationError if `Store(url)` could not use it."""
        engine = open_engine(url, read_only=True)
        with as_config_error(engine):
            state = "absent" if is_absent(engine) else schema_state(engine)
        if state != "current":
            engine.dispose()
            return state
        store = cls.__new__(cls)
        store._use(engine)
        return store

    def _use(self, engine: Engine) -> None:
        self._engine = engine
        self.pending_logins, self.sessions, self.grants = PendingLogins(engine), Sessions(engine), Grants(engine)
        self.keys, self.clients, self.deliveries = Keys(engine), Clients(engine), Deliveries(engine)
        self.failures = Failures(engine)
        self.user_names = UserNames(engine)
        self._check = _Check(self.pending_logins.try_save)

    def purge(self, *, now: int, short_lived_only: bool = False) -> Mapping[str, int]:
        """Delete rows that expired some minutes ago; return their number by table.

        `short_lived_only` leaves out the tables that callers without an account cannot fill.
        """
        purges = PURGES[:SHORT_LIVED] if short_lived_only else PURGES
        return {purge.table.name: purge.run(self._engine, now=now) for purge in purges}

    def totals(self, *, now: int) -> Mapping[str, int]:
        """Count `sessions`, `logout_deliveries_waiting` and `logout_deliveries_given_up`."""
        with self._engine.connect() as connection:
            return dict(connection.execute(TOTALS, {"now": now}).one()._mapping)

    def check(self) -> None:
        """Raise `StoreFailure` if no sign-in can be stored, or could not be a few seconds ago.

        A read proves little: a full, read-only or locked database still answers it.
        """
        self._check.run()

    def connection_limit(self) -> int | None:
        """Return how many connections the PostgreSQL server allows to ordinary users; None for SQLite."""
        if self._engine.dialect.name == "sqlite":
            return None
        with self._engine.connect() as connection:
            limits = ("max_connections", "superuser_reserved_connections")
            allowed, reserved = (int(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in limits)
        return allowed - reserved

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
