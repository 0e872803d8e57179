"""Statements on the clients that `passerelle clients` manages."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from bridge.store.database import SqlRepository, columns_of, values_of
from bridge.store.grant_revocation import DELETE_CONSENTS_TO_CLIENT, REVOKE_OF_CLIENT
from bridge.store.records import StoredClient
from bridge.store.schema import stored_clients, versions

_CLIENT = columns_of(stored_clients, StoredClient)
_CLIENTS_VERSION = versions.c.name == "clients"

ALL_CLIENTS = select(*_CLIENT).order_by(stored_clients.c.client_id)
REMOVE_CLIENT = delete(stored_clients).where(stored_clients.c.client_id == bindparam("of_client"))
SAVE_CLIENT = insert(stored_clients)
VERSION = select(versions.c.version).where(_CLIENTS_VERSION)
NEXT_VERSION = update(versions).where(_CLIENTS_VERSION).values(version=versions.c.version + 1)
NEXT_VERSION_AFTER = NEXT_VERSION.where(versions.c.version == bindparam("seen"))


class Clients(SqlRepository):
    """Clients that `passerelle clients` manages."""

    def version(self) -> int:
        """Return a number that grows with every change, so that workers notice changes."""
        row = self._one(VERSION, {})
        return 0 if row is None else int(row.version)

    def all(self) -> Sequence[StoredClient]:
        """Return all clients by client_id."""
        return [StoredClient(**row._mapping) for row in self._all(ALL_CLIENTS, {})]

    def put(self, client: StoredClient, *, now: int) -> None:
        """Add or replace a client."""
        with self._engine.begin() as connection:
            connection.execute(NEXT_VERSION)  # first, to lock against concurrent changes
            connection.execute(REMOVE_CLIENT, {"of_client": client.client_id})
            connection.execute(SAVE_CLIENT, values_of(client) | {"changed_at": now})

    def remove(self, client_id: str) -> bool:
        """Delete a client; return False if there is none."""
        with self._engine.begin() as connection:
            connection.execute(NEXT_VERSION)
            return connection.execute(REMOVE_CLIENT, {"of_client": client_id}).rowcount > 0

    def change_all(
        self, put: Sequence[StoredClient], remove: Collection[str], *, revoke: Collection[str], seen: int, now: int
    ) -> int | None:
        """Put and remove clients, and revoke the grants and consents of others, as one change.

        Return the number of revoked grants, or None, with nothing changed, if the version is not `seen` any more.
        """
        with self._engine.begin() as connection:
            if not connection.execute(NEXT_VERSION_AFTER, {"seen": seen}).rowcount:
                return None
            for client_id in {*remove, *(client.client_id for client in put)}:
                connection.execute(REMOVE_CLIENT, {"of_client": client_id})
            if put:
                connection.execute(SAVE_CLIENT, [values_of(client) | {"changed_at": now} for client in put])
            for client_id in sorted(revoke):
                connection.execute(DELETE_CONSENTS_TO_CLIENT, {"of_client": client_id})
            return sum(
                int(connection.execute(REVOKE_OF_CLIENT, {"of_client": client_id, "now": now}).rowcount)
                for client_id in sorted(revoke)
            )
