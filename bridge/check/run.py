"""Runs the whole check: installation, CAS, public address, applications and past sign-ins.

CAS, the public address and the applications are probed in parallel. A probe is skipped if it depends on a missing
result. Each request is limited to `PROBE_SECONDS`, all of them together to `RUN_SECONDS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.check import installation
from bridge.check.applications import check_applications
from bridge.check.attributes import RequestedAttribute, evaluate_sessions, requested_attributes
from bridge.check.cas_server import FakeTicket, check_cas
from bridge.check.database import CheckKeys, DatabaseReading, ListClients, read_database
from bridge.check.findings import Finding, skipped
from bridge.check.probe import BackgroundTask, ProbeClient, Progress
from bridge.check.public_address import PublicTrust, check_public_address
from bridge.check.registration import Registration
from bridge.check.request import RegistrationRequest
from bridge.check.single_logout import evaluate_last_logout
from bridge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings of a check by subject, and the request for the CAS administrator."""

    installation: Sequence[Finding] = ()
    cas: Sequence[Finding] = ()
    public: Sequence[Finding] = ()
    applications: Sequence[Finding] = ()
    sign_ins: Sequence[Finding] = ()
    request: RegistrationRequest

    @property
    def findings(self) -> Sequence[Finding]:
        """Return all findings in the order of the report."""
        return [*self.installation, *self.cas, *self.public, *self.applications, *self.sign_ins]


def run_checks(
    settings: Settings,
    *,
    list_clients: ListClients,
    check_keys: CheckKeys,
    public_trust: PublicTrust,
    settings_file: str | None = None,
    secret_files: Sequence[Path] = (),
    checks_public: bool = True,
    checks_applications: bool = True,
    progress: Progress,
    now: Callable[[], float] = time.time,
) -> Report:
    """Check everything.

    Args:
        settings: The valid settings.
        list_clients: Lists the clients of the settings and the store.
        check_keys: Checks whether the secret key decrypts the stored signing keys.
        public_trust: Authorities for our public address.
        settings_file: The settings file that was read.
        secret_files: Files that hold secrets.
        checks_public: Whether to probe our public address, which needs a running bridge.
        checks_applications: Whether to connect to the applications.
        progress: Context manager that is entered with the name of a server during a request.
        now: Clock in Unix seconds.
    """
    client, ticket = ProbeClient(progress), FakeTicket.generate(now())
    cas = BackgroundTask(lambda: check_cas(settings, client, ticket))
    with progress("the database"):
        url = settings.database_url.get_secret_value()
        reading = read_database(url, settings.clients, list_clients, check_keys)
    facts = reading.facts
    clients = facts.clients if facts else settings.clients
    kids = facts.kids if facts else ()

    def check_public() -> list[Finding]:
        if not checks_public:
            return [skipped("public", "Our public address", "--no-public was given")]
        return check_public_address(settings.issuer, public_trust, kids, client, ticket)

    settings_ids = [one.client_id for one in settings.clients]
    public = BackgroundTask(check_public)
    applications = BackgroundTask(
        lambda: check_applications(clients if checks_applications else (), settings_ids, client, ticket.now)
    )
    requested = requested_attributes(settings, clients)
    sign_ins = _check_sign_ins(settings, reading, requested, ticket.now)
    found = cas.result()
    return Report(
        installation=[
            *_check_installation(settings, reading, settings_file),
            *installation.evaluate_file_modes(secret_files, url),
        ],
        cas=found,
        public=public.result(),
        applications=applications.result(),
        sign_ins=sign_ins,
        request=RegistrationRequest(
            registration=Registration.from_settings(settings),
            cas_url=settings.cas_url,
            attributes=requested,
            findings=[*found, *sign_ins],
        ),
    )


def _check_installation(settings: Settings, reading: DatabaseReading, settings_file: str | None) -> list[Finding]:
    kind = settings.database_url.get_secret_value().partition(":")[0]
    facts = reading.facts
    found = [
        *installation.evaluate_settings((), settings_file),
        installation.evaluate_database(reading.state, kind, reading.error),
        installation.evaluate_secret_key(settings.secret_key.get_secret_value(), facts.key_error if facts else None),
        installation.evaluate_clients(facts.clients if facts else settings.clients)
        if facts or settings.clients
        else skipped("clients", "The registered clients", "the database was not read"),
    ]
    if settings.cas_service_state == "cookie":
        returns = settings.cas_logout == "return"
        pattern = Registration(issuer=settings.issuer, returns_from_logout=returns).pattern
        found.append(installation.evaluate_service_state(pattern))
    return found


def _check_sign_ins(
    settings: Settings, reading: DatabaseReading, requested: Sequence[RequestedAttribute], now: float
) -> list[Finding]:
    facts = reading.facts
    if facts is None:
        return [skipped("attributes.released", "Released attributes and sign-outs", "the database was not read")]
    url = Registration.from_settings(settings).logout_url
    began = [session.created_at for session in facts.sessions]
    return [
        *evaluate_sessions(facts.sessions, settings, requested, settings.cas_protocol, now),
        evaluate_last_logout(facts.last_ended_by_cas, began=began, url=url, now=now),
    ]
