"""The facts that the check reads from the database: once, within a time limit, and without any change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.check.installation import DatabaseState
from bridge.check.probe import PROBE_SECONDS, BackgroundTask
from bridge.errors import BridgeError, ConfigurationError
from bridge.settings import ClientSettings
from bridge.store import Session, Store, StoreFailure

SESSION_LIMIT = 20

ListClients = Callable[[Store], Sequence[ClientSettings]]
CheckKeys = Callable[[Store], None]
"""Raises ConfigurationError if the secret key does not decrypt the stored signing keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """The facts in the database."""

    clients: Sequence[ClientSettings]
    sessions: Sequence[Session] = ()
    """The newest first, including ended ones."""
    last_ended_by_cas: int | None = None
    kids: Sequence[str] = ()
    key_error: str | None = None
    """Why the signing keys cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReading:
    """The result of an attempt to read the database."""

    state: DatabaseState
    facts: StoredFacts | None = None
    error: str = ""


def read_database(
    url: str, settings_clients: Sequence[ClientSettings], list_clients: ListClients, check_keys: CheckKeys
) -> DatabaseReading:
    """Read the database within `PROBE_SECONDS`, a limit that no driver guarantees."""
    try:
        return BackgroundTask(lambda: _read(url, settings_clients, list_clients, check_keys)).result(PROBE_SECONDS)
    except TimeoutError:
        error = f"No response from the database within {PROBE_SECONDS:.0f} s"
    except Exception as failure:  # noqa: BLE001  drivers raise their own exceptions, whose text may quote the URL
        error = f"The driver rejects PASSERELLE_DATABASE_URL: {type(failure).__name__}"
    return DatabaseReading(state="failed", error=error)


def _read(
    url: str, settings_clients: Sequence[ClientSettings], list_clients: ListClients, check_keys: CheckKeys
) -> DatabaseReading:
    try:
        store = Store.open_existing(url)
        if not isinstance(store, Store):
            facts = None if store == "older" else StoredFacts(clients=settings_clients)
            return DatabaseReading(state=store, facts=facts)
        try:
            return DatabaseReading(state="read", facts=_read_facts(store, list_clients, check_keys))
        finally:
            store.close()
    except StoreFailure as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        return DatabaseReading(state="failed", error=reason)
    except BridgeError as error:
        return DatabaseReading(state="failed", error="; ".join(getattr(error, "faults", ())) or error.description)


def _read_facts(store: Store, list_clients: ListClients, check_keys: CheckKeys) -> StoredFacts:
    key_error = None
    try:
        check_keys(store)
    except ConfigurationError as error:
        key_error = "; ".join(error.faults)
    return StoredFacts(
        clients=list_clients(store),
        sessions=store.sessions.list_newest(limit=SESSION_LIMIT),
        last_ended_by_cas=store.sessions.last_ended_by_cas(),
        kids=[key.kid for key in store.keys.all()],
        key_error=key_error,
    )
