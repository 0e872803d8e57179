"""Statements on the queue of logout tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from bridge.store.database import NOW, SqlRepository, columns_of
from bridge.store.records import LogoutDelivery
from bridge.store.schema import logout_deliveries

_DELIVERY = columns_of(logout_deliveries, LogoutDelivery)
_ID = logout_deliveries.c.delivery_id

QUEUE = insert(logout_deliveries)
# A table expression of its own: PostgreSQL may run a subquery with a limit more than once, and lock more each time.
_DUE = (
    select(_ID)
    .where(
        logout_deliveries.c.next_attempt_at <= NOW,
        logout_deliveries.c.client_id.not_in(bindparam("not_for", expanding=True)),
    )
    .order_by(logout_deliveries.c.next_attempt_at, _ID)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
# Asked first: every worker looks every second, and an UPDATE that finds nothing waits for SQLite's lock all the same.
IS_ANY_DUE = select(_ID).where(logout_deliveries.c.next_attempt_at <= NOW).limit(1)
TAKE_DUE = (
    update(logout_deliveries)
    .where(_ID.in_(select(_DUE.c.delivery_id)))
    .values(next_attempt_at=bindparam("leased_until"), attempts=logout_deliveries.c.attempts + 1)
    .returning(*_DELIVERY)
)
DELIVERED = delete(logout_deliveries).where(bindparam("of_delivery") == _ID)
FAILED = (
    update(logout_deliveries)
    .where(bindparam("of_delivery") == _ID)
    .values(last_error=bindparam("error"), next_attempt_at=bindparam("next_at"))
)
WAITING = select(*_DELIVERY).order_by(logout_deliveries.c.created_at, _ID)


class SqlDeliveries(SqlRepository):
    """`Deliveries`."""

    def queue(self, entries: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
        if entries:
            with self._engine.begin() as connection:
                connection.execute(QUEUE, delivery_rows(entries, now))

    def take_due(self, *, now: int, lease: int, limit: int, not_for: Collection[str] = ()) -> Sequence[LogoutDelivery]:
        if self._one(IS_ANY_DUE, {"now": now}) is None:
            return ()
        values = {"now": now, "leased_until": now + lease, "most": limit, "not_for": list(not_for)}
        with self._engine.begin() as connection:
            rows = connection.execute(TAKE_DUE, values).all()
        return sorted((LogoutDelivery(**row._mapping) for row in rows), key=lambda taken: taken.delivery_id)

    def delivered(self, delivery_id: int) -> None:
        self._execute(DELIVERED, {"of_delivery": delivery_id})

    def failed(self, delivery_id: int, *, error: str, next_attempt_at: int | None) -> None:
        self._execute(FAILED, {"of_delivery": delivery_id, "error": error, "next_at": next_attempt_at})

    def waiting(self) -> Sequence[LogoutDelivery]:
        return [LogoutDelivery(**row._mapping) for row in self._all(WAITING, {})]


def delivery_rows(entries: Sequence[tuple[str, str, str, str]], now: int) -> list[dict[str, Any]]:
    """(client_id, sid, subject, uri) entries as rows that are due at once."""
    due = {"created_at": now, "attempts": 0, "next_attempt_at": now, "last_error": ""}
    return [dict(zip(("client_id", "sid", "subject", "uri"), entry, strict=True)) | due for entry in entries]
