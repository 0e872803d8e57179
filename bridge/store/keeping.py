"""Keys, managed clients, and the logout tokens that wait for delivery: what the bridge itself has to keep."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.store.database import NOW, SqlRepository, columns_of, values_of
from bridge.store.grant_revocation import FORGET_CONSENTS_TO_CLIENT, REVOKE_OF_CLIENT
from bridge.store.records import LogoutDelivery, SigningKey, StoredClient
from bridge.store.schema import logout_deliveries, signing_keys, stored_clients, versions

CLIENTS = "clients"

_KEY = columns_of(signing_keys, SigningKey)
_CLIENT = columns_of(stored_clients, StoredClient)
_DELIVERY = columns_of(logout_deliveries, LogoutDelivery)
_ID = logout_deliveries.c.delivery_id

ADD_KEY = insert(signing_keys)
NEWEST_KEY = (
    select(signing_keys.c.kid, signing_keys.c.number)
    .where(signing_keys.c.algorithm == bindparam("of_algorithm"))
    .order_by(signing_keys.c.number.desc())
    .limit(1)
)
ALL_KEYS = select(*_KEY).order_by(signing_keys.c.algorithm.desc(), signing_keys.c.number.desc())
REMOVE_KEY = delete(signing_keys).where(signing_keys.c.kid == bindparam("of_kid"))

ALL_CLIENTS = select(*_CLIENT).order_by(stored_clients.c.client_id)
REMOVE_CLIENT = delete(stored_clients).where(stored_clients.c.client_id == bindparam("of_client"))
SAVE_CLIENT = insert(stored_clients)
VERSION = select(versions.c.version).where(versions.c.name == CLIENTS)
NEXT_VERSION = update(versions).where(versions.c.name == CLIENTS).values(version=versions.c.version + 1)
NEXT_VERSION_AFTER = NEXT_VERSION.where(versions.c.version == bindparam("seen"))

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


class SqlKeys(SqlRepository):
    """`Keys`."""

    def add(self, key: SigningKey, *, after: str | None) -> bool:
        newest = self._one(NEWEST_KEY, {"of_algorithm": key.algorithm})
        if (None if newest is None else newest.kid) != after:
            return False
        try:
            self._execute(ADD_KEY, values_of(key) | {"number": 1 if newest is None else newest.number + 1})
        except IntegrityError:  # another worker has just taken that number
            return False
        return True

    def all(self) -> Sequence[SigningKey]:
        return [SigningKey(**row._mapping) for row in self._all(ALL_KEYS, {})]

    def remove(self, kid: str) -> None:
        self._execute(REMOVE_KEY, {"of_kid": kid})


class SqlClients(SqlRepository):
    """`Clients`."""

    def version(self) -> int:
        row = self._one(VERSION, {})
        return 0 if row is None else int(row.version)

    def all(self) -> Sequence[StoredClient]:
        return [StoredClient(**row._mapping) for row in self._all(ALL_CLIENTS, {})]

    def put(self, client: StoredClient, *, now: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(NEXT_VERSION)  # first: whoever changes clients at the same time waits here
            connection.execute(REMOVE_CLIENT, {"of_client": client.client_id})
            connection.execute(SAVE_CLIENT, values_of(client) | {"changed_at": now})

    def remove(self, client_id: str) -> bool:
        with self._engine.begin() as connection:
            connection.execute(NEXT_VERSION)
            return connection.execute(REMOVE_CLIENT, {"of_client": client_id}).rowcount > 0

    def change_all(
        self,
        put: Sequence[StoredClient],
        remove: Collection[str],
        *,
        revoke: Collection[str],
        seen: int,
        now: int,
    ) -> int | None:
        with self._engine.begin() as connection:
            if not connection.execute(NEXT_VERSION_AFTER, {"seen": seen}).rowcount:
                return None
            for client_id in {*remove, *(client.client_id for client in put)}:
                connection.execute(REMOVE_CLIENT, {"of_client": client_id})
            if put:
                connection.execute(SAVE_CLIENT, [values_of(client) | {"changed_at": now} for client in put])
            for client_id in sorted(revoke):
                connection.execute(FORGET_CONSENTS_TO_CLIENT, {"of_client": client_id})
            return sum(
                int(connection.execute(REVOKE_OF_CLIENT, {"of_client": client_id, "now": now}).rowcount)
                for client_id in sorted(revoke)
            )


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
