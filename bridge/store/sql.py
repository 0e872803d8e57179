"""The store on SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Every statement is built once, when its module is imported: building one costs more than running it.
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
from bridge.store.migrations import age_of, as_click_error, bring_up_to_date
from bridge.store.pending_logins import SqlPendingLogins
from bridge.store.purge import PURGES
from bridge.store.schema import logout_deliveries, sessions, signing_keys
from bridge.store.sessions import SqlSessions

NotReady = Literal["absent", "empty", "older"]
"""Why a store cannot be read yet, though one that is opened for use would be made or brought up to date."""

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
        engine = open_engine(url)
        try:
            bring_up_to_date(engine)
        except ConfigurationError:
            engine.dispose()
            raise
        self._use(engine)

    @classmethod
    def as_found(cls, url: str) -> SqlStore | NotReady:
        """The store as it is, for those who only look: nothing is made, and no table is changed.

        :param url: an SQLAlchemy URL
        :raises ConfigurationError: when `SqlStore(url)` could not use it
        """
        engine = open_engine(url, as_it_is=True)
        try:
            with as_click_error(engine):
                age = "absent" if is_absent(engine) else age_of(engine)
        except ConfigurationError:
            engine.dispose()
            raise
        if age != "current":
            engine.dispose()
            return age
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
