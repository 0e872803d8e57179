"""The whole check: this installation, CAS, our public address, and what earlier sign-ins tell.

CAS and our public address are asked at the same time; within each, a question is left out when the answer that it
depends on is missing. Every question is bounded by `PROBE_SECONDS`, and all of them together by `RUN_SECONDS`.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.check.asking import Asker, Waiting
from bridge.check.cas_server import MadeUp, examine_cas
from bridge.check.findings import Finding, left_out
from bridge.check.installation import judge_clients, judge_database, judge_secret_key, judge_settings
from bridge.check.message import Request
from bridge.check.own_address import OurTrust, examine_public
from bridge.check.probe import PROBE_SECONDS
from bridge.check.registration import single_logout_url
from bridge.check.released import SESSIONS_READ, Wish, judge_released, wishes
from bridge.check.single_logout import judge_last_logout
from bridge.errors import BridgeError
from bridge.settings import ClientSettings, Settings
from bridge.store import Session, SqlStore, Store, StoreFailure

ClientsOf = Callable[[Store], Sequence[ClientSettings]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database tells, read once."""

    clients: Sequence[ClientSettings]
    sessions: Sequence[Session]
    """The newest, ended ones too."""
    last_ended_by_cas: int | None
    kids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result."""

    installation: Sequence[Finding]
    cas: Sequence[Finding]
    public: Sequence[Finding]
    sign_ins: Sequence[Finding]
    request: Request

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them, in the order in which they are worth reading."""
        return [*self.installation, *self.cas, *self.public, *self.sign_ins]


def examine(
    settings: Settings,
    *,
    clients_of: ClientsOf,
    ca_file: Path | None = None,
    edge_certificate: Path | None = None,
    asks_public: bool = True,
    waiting: Waiting,
    now: Callable[[], float] = time.time,
) -> Report:
    """Ask everything.

    :param clients_of: the registered applications, of the settings and of the store
    :param ca_file: authorities to trust for our own address, beside the system's
    :param edge_certificate: what our own edge shows, where it is known
    :param asks_public: whether our own address is asked at all; before the bridge runs it cannot answer
    :param waiting: entered with a few words while an answer is awaited
    :param now: Unix seconds
    """
    moment = now()
    asker = Asker(waiting)
    instant = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
    made_up = MadeUp(ticket=f"ST-passerelle-check-{secrets.token_hex(16)}", instant=instant, now=moment)
    with ThreadPoolExecutor(2) as pool:
        cas = pool.submit(examine_cas, settings, asker, made_up)
        with waiting("the database"):
            stored, database_fault = read_database(settings.database_url.get_secret_value(), clients_of)
        kids = stored.kids if stored else ()
        ours = OurTrust(option=ca_file, cas_ca_file=settings.cas_ca_file, edge_certificate=edge_certificate)
        public = pool.submit(examine_public, settings.issuer, ours, kids, asker, made_up) if asks_public else None
        found_cas, found_public = cas.result(), public.result() if public else _public_left_out()
    clients = stored.clients if stored else settings.clients
    wanted = wishes(settings.claim_rules, clients)
    sign_ins = _sign_ins(stored, settings, wanted, moment)
    return Report(
        installation=[
            *judge_settings(()),
            judge_database(database_fault, settings.database_url.get_secret_value().partition(":")[0]),
            judge_secret_key(settings.secret_key.get_secret_value()),
            judge_clients(clients),
        ],
        cas=found_cas,
        public=found_public,
        sign_ins=sign_ins,
        request=Request(
            issuer=settings.issuer,
            cas_url=settings.cas_url,
            state_in_cookie=settings.cas_service_state == "cookie",
            returns_from_logout=settings.cas_logout == "return",
            wanted=wanted,
            findings=[*found_cas, *sign_ins],
        ),
    )


def read_database(url: str, clients_of: ClientsOf) -> tuple[Stored | None, str | None]:
    """What the database tells, or why it does not; within `PROBE_SECONDS`, which no driver promises."""
    answer: queue.SimpleQueue[tuple[Stored | None, str | None]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_read(url, clients_of)), daemon=True, name="database").start()
    try:
        return answer.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        return None, f"The database gave no answer within {PROBE_SECONDS:.0f} s"


def _read(url: str, clients_of: ClientsOf) -> tuple[Stored | None, str | None]:
    try:
        store = SqlStore(url)
        try:
            stored = Stored(
                clients=clients_of(store),
                sessions=store.sessions.newest(limit=SESSIONS_READ),
                last_ended_by_cas=store.sessions.last_ended_by_cas(),
                kids=[key.kid for key in store.keys.all()],
            )
        finally:
            store.close()
    except StoreFailure as error:
        return None, str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
    except BridgeError as error:
        return None, "; ".join(getattr(error, "faults", ())) or error.description
    return stored, None


def _sign_ins(stored: Stored | None, settings: Settings, wanted: Sequence[Wish], now: float) -> list[Finding]:
    if stored is None:
        return [left_out("attributes.released", "What CAS releases and reports", "the database did not answer")]
    url = single_logout_url(settings.issuer)
    last, has_sessions = stored.last_ended_by_cas, bool(stored.sessions)
    return [
        *judge_released(stored.sessions, settings.claim_rules, wanted, settings.cas_protocol, now),
        judge_last_logout("logout.last", last, has_sessions=has_sessions, url=url, now=now),
    ]


def _public_left_out() -> list[Finding]:
    return [left_out("public", "Our public address", "--no-public was given")]
