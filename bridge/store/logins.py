"""Authorizations on their way through CAS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Update, bindparam, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.store.database import NOW, SqlRepository, columns_of, values_of
from bridge.store.records import PendingLogin
from bridge.store.schema import pending_logins, session_tickets

_LOGIN = columns_of(pending_logins, PendingLogin)

SAVE_LOGIN = insert(pending_logins)
CLAIM_LOGIN = (
    update(pending_logins)
    .where(
        pending_logins.c.state_hash == bindparam("state"),
        pending_logins.c.browser_hash == bindparam("browser"),
        pending_logins.c.ticket_hash.is_(None),
        pending_logins.c.expires_at > NOW,
        # The login that a ticket took is soon purged, its session not.
        ~exists().where(session_tickets.c.ticket_hash == bindparam("ticket")),
    )
    .values(ticket_hash=bindparam("ticket"))
    .returning(*_LOGIN)
)
# For a CAS that knows one service URL, so that nothing says which login of the browser a ticket is for.
_NEWEST_WAITING = (
    select(pending_logins.c.state_hash)
    .where(
        pending_logins.c.browser_hash == bindparam("browser"),
        pending_logins.c.ticket_hash.is_(None),
        pending_logins.c.expires_at > NOW,
        pending_logins.c.gateway.in_(bindparam("gateways", expanding=True)),
        ~exists().where(session_tickets.c.ticket_hash == bindparam("ticket")),
    )
    .order_by(pending_logins.c.expires_at.desc(), pending_logins.c.state_hash)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("newest")
)
CLAIM_NEWEST_LOGIN = (
    update(pending_logins)
    .where(pending_logins.c.state_hash.in_(select(_NEWEST_WAITING.c.state_hash)))
    .values(ticket_hash=bindparam("ticket"))
    .returning(*_LOGIN)
)
FIND_LOGIN_OF_TICKET = select(*_LOGIN).where(
    pending_logins.c.ticket_hash == bindparam("ticket"), pending_logins.c.browser_hash == bindparam("browser")
)
FIND_LOGIN = select(*_LOGIN).where(
    pending_logins.c.state_hash == bindparam("state"), pending_logins.c.browser_hash == bindparam("browser")
)


class SqlLogins(SqlRepository):
    """`Logins`."""

    def save(self, login: PendingLogin) -> None:
        self._execute(SAVE_LOGIN, values_of(login))

    def claim(self, state_hash: str, *, browser_hash: str, ticket_hash: str, now: int) -> PendingLogin | None:
        values = {"state": state_hash, "browser": browser_hash, "ticket": ticket_hash, "now": now}
        return self._claim(CLAIM_LOGIN, values)

    def consume_newest(
        self, *, browser_hash: str, ticket_hash: str, now: int, gateway_only: bool = False
    ) -> PendingLogin | None:
        gateways = [True] if gateway_only else [True, False]
        values = {"browser": browser_hash, "ticket": ticket_hash, "now": now, "gateways": gateways}
        return self._claim(CLAIM_NEWEST_LOGIN, values)

    def _claim(self, statement: Update, values: Mapping[str, Any]) -> PendingLogin | None:
        try:
            with self._engine.begin() as connection:
                row = connection.execute(statement, values).one_or_none()
        except IntegrityError:  # the ticket has taken another login before
            return None
        return None if row is None else PendingLogin(**row._mapping)

    def find(self, state_hash: str, *, browser_hash: str) -> PendingLogin | None:
        row = self._one(FIND_LOGIN, {"state": state_hash, "browser": browser_hash})
        return None if row is None else PendingLogin(**row._mapping)

    def find_by_ticket(self, ticket_hash: str, *, browser_hash: str) -> PendingLogin | None:
        row = self._one(FIND_LOGIN_OF_TICKET, {"ticket": ticket_hash, "browser": browser_hash})
        return None if row is None else PendingLogin(**row._mapping)
