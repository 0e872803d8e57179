"""What the database tells: read once, within a time, and without changing anything in it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.check.installation import State
from bridge.check.probe import PROBE_SECONDS
from bridge.errors import BridgeError, ConfigurationError
from bridge.settings import ClientSettings
from bridge.store import Session, Store, StoreFailure

SESSIONS_READ = 20

ClientsOf = Callable[[Store], Sequence[ClientSettings]]
CheckKeys = Callable[[Store], None]
"""Raises ConfigurationError when the secret key does not open the stored signing keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What there is."""

    clients: Sequence[ClientSettings]
    sessions: Sequence[Session] = ()
    """The newest, ended ones too."""
    last_ended_by_cas: int | None = None
    kids: Sequence[str] = ()
    key_fault: str | None = None
    """Why the signing keys cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The attempt to read it."""

    state: State
    stored: Stored | None = None
    fault: str = ""


def read_database(url: str, fixed: Sequence[ClientSettings], clients_of: ClientsOf, check_keys: CheckKeys) -> Reading:
    """What the database tells, or why it does not; within `PROBE_SECONDS`, which no driver promises.

    :param url: an SQLAlchemy URL
    :param fixed: the clients of the settings, which are all there are while there is no database
    """
    answer: queue.SimpleQueue[Reading] = queue.SimpleQueue()

    def read() -> None:
        try:
            answer.put(_read(url, fixed, clients_of, check_keys))
        except Exception as error:  # noqa: BLE001  a driver's own, of a URL that only it can judge; its text may quote it
            answer.put(Reading(state="failed", fault=f"The driver refuses PASSERELLE_DATABASE_URL: {_kind(error)}"))

    threading.Thread(target=read, daemon=True, name="database").start()
    try:
        return answer.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        return Reading(state="failed", fault=f"The database gave no answer within {PROBE_SECONDS:.0f} s")


def _kind(error: Exception) -> str:
    return type(error).__name__


def _read(url: str, fixed: Sequence[ClientSettings], clients_of: ClientsOf, check_keys: CheckKeys) -> Reading:
    try:
        store = Store.open_existing(url)
        if not isinstance(store, Store):
            return Reading(state=store, stored=None if store == "older" else Stored(clients=fixed))
        try:
            return Reading(state="read", stored=_all_of(store, clients_of, check_keys))
        finally:
            store.close()
    except StoreFailure as error:
        reason = str(getattr(error, "orig", None) or _kind(error)).strip().splitlines()[0]
        return Reading(state="failed", fault=reason)
    except BridgeError as error:
        return Reading(state="failed", fault="; ".join(getattr(error, "faults", ())) or error.description)


def _all_of(store: Store, clients_of: ClientsOf, check_keys: CheckKeys) -> Stored:
    key_fault = None
    try:
        check_keys(store)
    except ConfigurationError as error:
        key_fault = "; ".join(error.faults)
    return Stored(
        clients=clients_of(store),
        sessions=store.sessions.list_newest(limit=SESSIONS_READ),
        last_ended_by_cas=store.sessions.last_ended_by_cas(),
        kids=[key.kid for key in store.keys.all()],
        key_fault=key_fault,
    )
