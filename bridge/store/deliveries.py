"""Statements on the queue of logout tokens."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from bridge.store.database import NOW, SqlRepository, columns_of
from bridge.store.records import LogoutDelivery
from bridge.store.schema import logout_deliveries

_DELIVERY = columns_of(logout_deliveries, LogoutDelivery)
_ID = logout_deliveries.c.delivery_id

QUEUE = insert(logout_deliveries)
# A CTE, because PostgreSQL may run a subquery with a limit more than once and lock more rows each time.
_DUE = (
    select(_ID)
    .where(
        logout_deliveries.c.next_attempt_at <= NOW,
        logout_deliveries.c.client_id.not_in(bindparam("excluded", expanding=True)),
    )
    .order_by(logout_deliveries.c.next_attempt_at, _ID)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
# Queried first: every worker polls every second, and on SQLite an UPDATE without matches still waits for the lock.
IS_ANY_DUE = select(_ID).where(logout_deliveries.c.next_attempt_at <= NOW).limit(1)
LEASE_DUE = (
    update(logout_deliveries)
    .where(_ID.in_(select(_DUE.c.delivery_id)))
    .values(next_attempt_at=bindparam("leased_until"), attempts=logout_deliveries.c.attempts + 1)
    .returning(*_DELIVERY)
)
DELETE_DELIVERY = delete(logout_deliveries).where(bindparam("of_delivery") == _ID)
UPDATE_FAILED = (
    update(logout_deliveries)
    .where(bindparam("of_delivery") == _ID)
    .values(last_error=bindparam("error"), next_attempt_at=bindparam("next_at"))
)
WAITING_DELIVERIES = select(*_DELIVERY).order_by(logout_deliveries.c.created_at, _ID)


class Deliveries(SqlRepository):
    """The queue of logout tokens."""

    def queue(self, entries: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
        """Add (client_id, sid, subject, uri) entries, due at once."""
        if entries:
            with self._engine.begin() as connection:
                connection.execute(QUEUE, delivery_rows(entries, now))

    def lease_due(
        self, *, now: int, lease: int, limit: int, excluded_clients: Collection[str] = ()
    ) -> Sequence[LogoutDelivery]:
        """Lease due deliveries for `lease` seconds; no other worker gets them meanwhile."""
        if self._one(IS_ANY_DUE, {"now": now}) is None:
            return ()
        values = {"now": now, "leased_until": now + lease, "most": limit, "excluded": list(excluded_clients)}
        with self._engine.begin() as connection:
            rows = connection.execute(LEASE_DUE, values).all()
        return sorted((LogoutDelivery(**row._mapping) for row in rows), key=lambda delivery: delivery.delivery_id)

    def delete(self, delivery_id: int) -> None:
        """Delete a delivery that succeeded."""
        self._execute(DELETE_DELIVERY, {"of_delivery": delivery_id})

    def mark_failed(self, delivery_id: int, *, error: str, next_attempt_at: int | None) -> None:
        """Schedule the next attempt; with None the delivery is given up but stays listed with its error."""
        self._execute(UPDATE_FAILED, {"of_delivery": delivery_id, "error": error, "next_at": next_attempt_at})

    def list_waiting(self) -> Sequence[LogoutDelivery]:
        """Return all undelivered entries, oldest first."""
        return [LogoutDelivery(**row._mapping) for row in self._all(WAITING_DELIVERIES, {})]


def delivery_rows(entries: Sequence[tuple[str, str, str, str]], now: int) -> list[dict[str, Any]]:
    """Return rows, due at once, for (client_id, sid, subject, uri) entries."""
    due = {"created_at": now, "attempts": 0, "next_attempt_at": now, "last_error": ""}
    return [dict(zip(("client_id", "sid", "subject", "uri"), entry, strict=True)) | due for entry in entries]
