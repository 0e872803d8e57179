"""The store on SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Every statement is built once, when its module is imported: building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from bridge.errors import ConfigurationError
from bridge.store.database import NOW, open_engine
from bridge.store.grants import SqlGrants
from bridge.store.keeping import SqlClients, SqlDeliveries, SqlKeys
from bridge.store.logins import SqlLogins
from bridge.store.migrations import bring_up_to_date
from bridge.store.purge import PURGES
from bridge.store.schema import logout_deliveries, sessions, signing_keys
from bridge.store.sessions import SqlSessions

TOTALS = select(
    select(func.count()).where(sessions.c.expires_at > NOW, sessions.c.ended_at.is_(None)).label("sessions"),
    select(func.count()).select_from(logout_deliveries).label("logout_deliveries_waiting"),
    select(func.count()).where(logout_deliveries.c.next_attempt_at.is_(None)).label("logout_deliveries_given_up"),
)


class SqlStore:
    """`Store` on a database that SQLAlchemy reaches."""

    def __init__(self, url: str) -> None:
        """Connect, and bring the tables up to date.

        :param url: an SQLAlchemy URL
        :raises ConfigurationError: when the database cannot be reached, written, or is newer than this version
        """
        self._engine = open_engine(url)
        try:
            bring_up_to_date(self._engine)
        except ConfigurationError:
            self._engine.dispose()
            raise
        self.logins = SqlLogins(self._engine)
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
