"""Keys, managed clients, and the logout tokens that wait for delivery."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.store.database import NOW, Part, columns_of, values_of
from bridge.store.records import LogoutDelivery, SigningKey, StoredClient
from bridge.store.schema import logout_deliveries, signing_keys, stored_clients, versions

CLIENTS = "clients"

_KEY = columns_of(signing_keys, SigningKey)
_CLIENT = columns_of(stored_clients, StoredClient)
_DELIVERY = columns_of(logout_deliveries, LogoutDelivery)
_ID = logout_deliveries.c.delivery_id

ADD_KEY = insert(signing_keys)
ALL_KEYS = select(*_KEY).order_by(signing_keys.c.active_from.desc(), signing_keys.c.created_at.desc())
REMOVE_KEY = delete(signing_keys).where(signing_keys.c.kid == bindparam("of_kid"))

ALL_CLIENTS = select(*_CLIENT).order_by(stored_clients.c.client_id)
REMOVE_CLIENT = delete(stored_clients).where(stored_clients.c.client_id == bindparam("of_client"))
SAVE_CLIENT = insert(stored_clients)
VERSION = select(versions.c.version).where(versions.c.name == CLIENTS)
NEXT_VERSION = update(versions).where(versions.c.name == CLIENTS).values(version=versions.c.version + 1)

QUEUE = insert(logout_deliveries)
_DUE = (
    select(_ID)
    .where(logout_deliveries.c.next_attempt_at <= NOW)
    .order_by(logout_deliveries.c.next_attempt_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
# Asked once more outside: where two workers chose the same rows, the second finds them leased.
TAKE_DUE = (
    update(logout_deliveries)
    .where(_ID.in_(_DUE), logout_deliveries.c.next_attempt_at <= NOW)
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


class SqlKeys(Part):
    """`Keys`."""

    def add(self, key: SigningKey, *, after: str | None) -> bool:
        try:
            self._execute(ADD_KEY, values_of(key) | {"predecessor": after or ""})
        except IntegrityError:
            return False
        return True

    def all(self) -> Sequence[SigningKey]:
        return [SigningKey(**row._mapping) for row in self._all(ALL_KEYS, {})]

    def remove(self, kid: str) -> None:
        self._execute(REMOVE_KEY, {"of_kid": kid})


class SqlClients(Part):
    """`Clients`."""

    def version(self) -> int:
        row = self._one(VERSION, {})
        return 0 if row is None else int(row.version)

    def all(self) -> Sequence[StoredClient]:
        return [StoredClient(**row._mapping) for row in self._all(ALL_CLIENTS, {})]

    def put(self, client: StoredClient, *, now: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(REMOVE_CLIENT, {"of_client": client.client_id})
            connection.execute(SAVE_CLIENT, values_of(client) | {"changed_at": now})
            connection.execute(NEXT_VERSION)

    def remove(self, client_id: str) -> bool:
        with self._engine.begin() as connection:
            removed = connection.execute(REMOVE_CLIENT, {"of_client": client_id}).rowcount > 0
            connection.execute(NEXT_VERSION)
        return removed


class SqlDeliveries(Part):
    """`Deliveries`."""

    def queue(self, entries: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
        rows = [
            {
                "client_id": client_id,
                "sid": sid,
                "subject": subject,
                "uri": uri,
                "created_at": now,
                "attempts": 0,
                "next_attempt_at": now,
                "last_error": "",
            }
            for client_id, sid, subject, uri in entries
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(QUEUE, rows)

    def take_due(self, *, now: int, lease: int, limit: int) -> Sequence[LogoutDelivery]:
        with self._engine.begin() as connection:
            rows = connection.execute(TAKE_DUE, {"now": now, "leased_until": now + lease, "most": limit}).all()
        return [LogoutDelivery(**row._mapping) for row in rows]

    def delivered(self, delivery_id: int) -> None:
        self._execute(DELIVERED, {"of_delivery": delivery_id})

    def failed(self, delivery_id: int, *, error: str, next_attempt_at: int | None) -> None:
        self._execute(FAILED, {"of_delivery": delivery_id, "error": error, "next_at": next_attempt_at})

    def waiting(self) -> Sequence[LogoutDelivery]:
        return [LogoutDelivery(**row._mapping) for row in self._all(WAITING, {})]
