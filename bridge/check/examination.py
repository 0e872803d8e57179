"""The whole check: this installation, CAS, our public address, applications, and what earlier sign-ins tell.

CAS, our public address and the applications are asked at the same time; of each, a question is left out when the
answer that it depends on is missing. Every question is bounded by `PROBE_SECONDS`, and all of them together by
`RUN_SECONDS`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.cas.logout_request import PROBE_TICKET_PREFIX
from bridge.check.applications import examine_applications
from bridge.check.asking import Asker, BackgroundTask, MadeUp, Waiting
from bridge.check.cas_server import examine_cas
from bridge.check.findings import Finding, left_out
from bridge.check.installation import (
    judge_clients,
    judge_database,
    judge_secret_key,
    judge_service_state,
    judge_settings,
)
from bridge.check.message import Request
from bridge.check.open_files import judge_open_files
from bridge.check.own_address import OurTrust, examine_public
from bridge.check.registration import service_pattern, single_logout_url
from bridge.check.released import BackupRequest, judge_released, wishes
from bridge.check.single_logout import judge_last_logout
from bridge.check.stored import CheckKeys, ClientsOf, Reading, read_database
from bridge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result."""

    installation: Sequence[Finding]
    cas: Sequence[Finding]
    public: Sequence[Finding]
    applications: Sequence[Finding]
    sign_ins: Sequence[Finding]
    request: Request

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them, in the order in which they are worth reading."""
        return [*self.installation, *self.cas, *self.public, *self.applications, *self.sign_ins]


def examine(
    settings: Settings,
    *,
    clients_of: ClientsOf,
    check_keys: CheckKeys,
    ca_file: Path | None = None,
    edge_certificate: Path | None = None,
    settings_file: str | None = None,
    secret_files: Sequence[Path] = (),
    asks_public: bool = True,
    asks_applications: bool = True,
    waiting: Waiting,
    now: Callable[[], float] = time.time,
) -> Report:
    """Ask everything.

    :param clients_of: the registered applications, of the settings and of the store
    :param check_keys: whether the secret key opens the stored signing keys
    :param ca_file: authorities to trust for our own address, beside the system's
    :param edge_certificate: what our own edge shows, where it is known
    :param settings_file: which one was read
    :param secret_files: those that hold secrets
    :param asks_public: whether our own address is asked at all; before the bridge runs it cannot answer
    :param asks_applications: whether those are tried that want to hear of sign-outs
    :param waiting: entered with a few words while an answer is awaited
    :param now: Unix seconds
    """
    moment = now()
    asker = Asker(waiting)
    instant = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
    made_up = MadeUp(ticket=f"{PROBE_TICKET_PREFIX}{secrets.token_hex(16)}", instant=instant, now=moment)
    cas = BackgroundTask(lambda: examine_cas(settings, asker, made_up))
    with waiting("the database"):
        url = settings.database_url.get_secret_value()
        reading = read_database(url, settings.clients, clients_of, check_keys)
    kids = reading.stored.kids if reading.stored else ()
    ours = OurTrust(option=ca_file, cas_ca_file=settings.cas_ca_file, edge_certificate=edge_certificate)
    public = (
        BackgroundTask(lambda: examine_public(settings.issuer, ours, kids, asker, made_up)) if asks_public else None
    )
    clients = reading.stored.clients if reading.stored else settings.clients
    fixed = [client.client_id for client in settings.clients]
    applications = BackgroundTask(
        lambda: examine_applications(clients if asks_applications else (), fixed, asker, moment)
    )
    found_cas, found_public = cas.result(), public.result() if public else _public_left_out()
    wanted = wishes(settings.claim_rules, clients)
    sign_ins = _sign_ins(reading, settings, wanted, moment)
    return Report(
        installation=[
            *_installation(settings, reading, settings_file),
            *judge_open_files(secret_files, settings.database_url.get_secret_value()),
        ],
        cas=found_cas,
        public=found_public,
        applications=applications.result(),
        sign_ins=sign_ins,
        request=_request(settings, wanted, [*found_cas, *sign_ins]),
    )


def _request(settings: Settings, wanted: Sequence[BackupRequest], findings: Sequence[Finding]) -> Request:
    return Request(
        issuer=settings.issuer,
        cas_url=settings.cas_url,
        state_in_cookie=settings.cas_service_state == "cookie",
        returns_from_logout=settings.cas_logout == "return",
        wanted=wanted,
        findings=findings,
    )


def _installation(settings: Settings, reading: Reading, settings_file: str | None) -> list[Finding]:
    place = settings.database_url.get_secret_value().partition(":")[0]
    stored = reading.stored
    found = [
        *judge_settings((), settings_file),
        judge_database(reading.state, place, reading.fault),
        judge_secret_key(settings.secret_key.get_secret_value(), stored.key_fault if stored else None),
    ]
    if stored is not None or settings.clients:
        found.append(judge_clients(stored.clients if stored else settings.clients))
    else:
        found.append(left_out("clients", "Which clients are registered", "the database was not read"))
    if settings.cas_service_state == "cookie":
        returns = settings.cas_logout == "return"
        pattern = service_pattern(settings.issuer, state_in_cookie=False, returns_from_logout=returns)
        found.append(judge_service_state("service_state", pattern))
    return found


def _sign_ins(reading: Reading, settings: Settings, wanted: Sequence[BackupRequest], now: float) -> list[Finding]:
    stored = reading.stored
    if stored is None:
        return [left_out("attributes.released", "What CAS releases and reports", "the database was not read")]
    url = single_logout_url(settings.issuer)
    began = [session.created_at for session in stored.sessions]
    return [
        *judge_released(stored.sessions, settings.claim_rules, wanted, settings.cas_protocol, now),
        judge_last_logout("logout.last", stored.last_ended_by_cas, began=began, url=url, now=now),
    ]


def _public_left_out() -> list[Finding]:
    return [left_out("public", "Our public address", "--no-public was given")]
