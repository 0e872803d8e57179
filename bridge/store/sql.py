"""The store on SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Statements are module constants, because building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Engine, func, select

from bridge.errors import ConfigurationError
from bridge.store.clients import SqlClients
from bridge.store.database import NOW, is_absent, open_engine
from bridge.store.deliveries import SqlDeliveries
from bridge.store.grants import SqlGrants
from bridge.store.keys import SqlKeys
from bridge.store.migrations import as_config_error, migrate, schema_state
from bridge.store.pending_logins import SqlPendingLogins
from bridge.store.purge import PURGES
from bridge.store.schema import logout_deliveries, sessions, signing_keys
from bridge.store.sessions import SqlSessions

NotReady = Literal["absent", "empty", "older"]
"""Why `open_existing` cannot read a database that `SqlStore(url)` would create or migrate."""

TOTALS = select(
    select(func.count()).where(sessions.c.expires_at > NOW, sessions.c.ended_at.is_(None)).label("sessions"),
    select(func.count()).select_from(logout_deliveries).label("logout_deliveries_waiting"),
    select(func.count()).where(logout_deliveries.c.next_attempt_at.is_(None)).label("logout_deliveries_given_up"),
)


class SqlStore:
    """`Store` on SQL."""

    def __init__(self, url: str) -> None:
        """Connect, and migrate the database.

        Raises:
            ConfigurationError: The database cannot be reached or written, or is newer than this version.
        """
        engine = open_engine(url)
        try:
            migrate(engine)
        except ConfigurationError:
            engine.dispose()
            raise
        self._use(engine)

    @classmethod
    def open_existing(cls, url: str) -> SqlStore | NotReady:
        """Open a database without creating or migrating it.

        Raises:
            ConfigurationError: `SqlStore(url)` could not use the database.
        """
        engine = open_engine(url, read_only=True)
        try:
            with as_config_error(engine):
                state = "absent" if is_absent(engine) else schema_state(engine)
        except ConfigurationError:
            engine.dispose()
            raise
        if state != "current":
            engine.dispose()
            return state
        store = cls.__new__(cls)
        store._use(engine)
        return store

    def _use(self, engine: Engine) -> None:
        self._engine = engine
        self.pending_logins = SqlPendingLogins(self._engine)
        self.sessions = SqlSessions(self._engine)
        self.grants = SqlGrants(self._engine)
        self.keys = SqlKeys(self._engine)
        self.clients = SqlClients(self._engine)
        self.deliveries = SqlDeliveries(self._engine)

    def purge(self, *, now: int) -> Mapping[str, int]:
        return {purge.table.name: purge.run(self._engine, now=now) for purge in PURGES}

    def totals(self, *, now: int) -> Mapping[str, int]:
        with self._engine.connect() as connection:
            return dict(connection.execute(TOTALS, {"now": now}).one()._mapping)

    def check(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(select(func.count()).select_from(signing_keys))

    def close(self) -> None:
        self._engine.dispose()
