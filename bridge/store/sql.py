"""The store on SQLAlchemy Core: SQLite by default, PostgreSQL by URL.

Every statement is built once, when its module is imported: building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, exists, func, or_, select

from bridge.store.database import NOW, open_engine
from bridge.store.grants import SqlGrants
from bridge.store.keeping import SqlClients, SqlDeliveries, SqlKeys
from bridge.store.logins import SqlLogins, SqlSessions
from bridge.store.migrations import bring_up_to_date
from bridge.store.schema import (
    access_tokens,
    codes,
    grants,
    logout_deliveries,
    pending_logins,
    refresh_tokens,
    sessions,
    signing_keys,
)

# A spent code, and a grant without tokens, are remembered this long: a replay then still finds what to revoke.
KEPT_SECONDS = 24 * 3600
# A logout token that was given up stays visible for a week.
GIVEN_UP_KEPT_SECONDS = 7 * 24 * 3600

# Children first. A rotated refresh token stays until it would have expired: its reuse has to be seen. A session
# stays, ended or not, while anything given out under it lives: CAS may still end it by its ticket.
PURGES = {
    "pending_logins": delete(pending_logins).where(pending_logins.c.expires_at <= NOW),
    "access_tokens": delete(access_tokens).where(access_tokens.c.expires_at <= NOW),
    "refresh_tokens": delete(refresh_tokens).where(refresh_tokens.c.expires_at <= NOW),
    "codes": delete(codes).where(codes.c.expires_at + KEPT_SECONDS <= NOW),
    "grants": delete(grants).where(
        grants.c.created_at + KEPT_SECONDS <= NOW,
        *(~exists().where(t.c.grant_id == grants.c.grant_id) for t in (access_tokens, refresh_tokens, codes)),
    ),
    "sessions": delete(sessions).where(
        or_(sessions.c.expires_at <= NOW, sessions.c.ended_at + KEPT_SECONDS <= NOW),
        ~exists().where(grants.c.sid == sessions.c.sid, grants.c.revoked_at.is_(None)),
    ),
    "logout_deliveries": delete(logout_deliveries).where(
        logout_deliveries.c.next_attempt_at.is_(None), logout_deliveries.c.created_at + GIVEN_UP_KEPT_SECONDS <= NOW
    ),
}


class SqlStore:
    """`Store` on a database that SQLAlchemy reaches."""

    def __init__(self, url: str) -> None:
        """Connect, and bring the tables up to date.

        :param url: an SQLAlchemy URL
        :raises ConfigurationError: when the database cannot be reached, written, or is newer than this version
        """
        self._engine = open_engine(url)
        bring_up_to_date(self._engine)
        self.logins = SqlLogins(self._engine)
        self.sessions = SqlSessions(self._engine)
        self.grants = SqlGrants(self._engine)
        self.keys = SqlKeys(self._engine)
        self.clients = SqlClients(self._engine)
        self.deliveries = SqlDeliveries(self._engine)

    def purge(self, *, now: int) -> Mapping[str, int]:
        with self._engine.begin() as connection:
            return {name: connection.execute(what, {"now": now}).rowcount for name, what in PURGES.items()}

    def check(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(select(func.count()).select_from(signing_keys))

    def close(self) -> None:
        self._engine.dispose()
