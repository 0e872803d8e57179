"""Runs the whole check: installation, CAS, public address, applications and past sign-ins.

CAS, the public address and the applications are probed in parallel. A probe is skipped if it depends on a missing
result. Each request is limited to `PROBE_SECONDS`, all of them together to `RUN_SECONDS`.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.cas.logout_request import PROBE_TICKET_PREFIX
from bridge.check import installation
from bridge.check.applications import check_applications
from bridge.check.attributes import RequestedAttribute, evaluate_sessions, requested_attributes
from bridge.check.cas_server import check_cas
from bridge.check.findings import Finding, skipped
from bridge.check.installation import CheckKeys, DatabaseReading, ListClients
from bridge.check.lab_hosts import LabHostCheck
from bridge.check.probe import ProbeClient, Progress, run_in_background
from bridge.check.public_address import PublicAddressCheck
from bridge.check.registration import Registration, RegistrationRequest
from bridge.check.single_logout import evaluate_last_logout
from bridge.settings import ClientSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings of a check by subject, and the request for the CAS administrator."""

    installation: Sequence[Finding] = ()
    cas: Sequence[Finding] = ()
    public: Sequence[Finding] = ()
    labs: Sequence[Finding] = ()
    applications: Sequence[Finding] = ()
    sign_ins: Sequence[Finding] = ()
    request: RegistrationRequest

    @property
    def findings(self) -> Sequence[Finding]:
        """Return all findings in the order of the report."""
        return [*self.installation, *self.cas, *self.public, *self.labs, *self.applications, *self.sign_ins]


def run_checks(
    settings: Settings,
    *,
    list_clients: ListClients,
    check_keys: CheckKeys,
    ca_option: Path | None = None,
    edge_certificate: Path | None = None,
    labs: LabHostCheck | None = None,
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
        ca_option: Authorities for our public address, in addition to the system's.
        edge_certificate: The certificate of the bundle's own edge; None outside the bundle.
        labs: The check of the hosts of the labs; None outside the bundle.
        settings_file: The settings file that was read.
        secret_files: Files that hold secrets.
        checks_public: Whether to probe our public address, which needs a running bridge.
        checks_applications: Whether to connect to the applications.
        progress: Context manager that is entered with the name of a server during a request.
        now: Clock in Unix seconds.
    """
    client, began = ProbeClient(progress), now()
    ticket = f"{PROBE_TICKET_PREFIX}{secrets.token_hex(16)}"  # the bridge ignores it in logout requests
    cas = run_in_background(lambda: check_cas(settings, client, ticket, began))
    with progress("the database"):
        url = settings.database_url.get_secret_value()
        reading = installation.read_database(url, list_clients, check_keys)
    clients = reading.clients if reading.state == "read" else settings.clients
    public_check = PublicAddressCheck(
        settings, ca_option, edge_certificate, our_kids=reading.kids, client=client, ticket=ticket, now=began
    )
    public = run_in_background(public_check.findings) if checks_public else None
    probes_labs = (
        run_in_background(lambda: labs.findings(client.send if checks_public else None, began)) if labs else None
    )
    settings_ids = [one.client_id for one in settings.clients]
    connected = clients if checks_applications else ()
    applications = run_in_background(lambda: check_applications(connected, settings_ids, client, began))
    requested = requested_attributes(settings, clients)
    registration = Registration.from_settings(settings)
    sign_ins = _check_sign_ins(settings, reading, requested, registration.logout_url, began)
    found = cas.result()
    return Report(
        installation=[
            *installation.evaluate_settings((), settings_file),
            *_check_installation(settings, reading, clients),
            *installation.evaluate_file_modes(secret_files, url),
        ],
        cas=found,
        public=public.result() if public else [skipped("public", "Our public address", "--no-public was given")],
        labs=probes_labs.result() if probes_labs else (),
        applications=applications.result(),
        sign_ins=sign_ins,
        request=RegistrationRequest(registration, settings.cas_url, requested, findings=[*found, *sign_ins]),
    )


def _check_installation(
    settings: Settings, reading: DatabaseReading, clients: Sequence[ClientSettings]
) -> list[Finding]:
    kind = settings.database_url.get_secret_value().partition(":")[0]
    found = [
        installation.evaluate_database(reading.state, kind, reading.error),
        installation.evaluate_secret_key(settings.secret_key.get_secret_value(), reading.key_error),
        installation.evaluate_clients(clients)
        if reading.is_known or clients
        else skipped("clients", "The registered clients", "the database was not read"),
    ]
    if reading.connection_limit is not None:
        found.append(installation.evaluate_connections(reading.connection_limit, settings.workers))
    if settings.cas_service_state == "cookie":
        returns = settings.cas_logout == "return"
        pattern = Registration(issuer=settings.issuer, returns_from_logout=returns).pattern
        found.append(installation.evaluate_service_state(pattern))
    return found


def _check_sign_ins(
    settings: Settings, reading: DatabaseReading, requested: Sequence[RequestedAttribute], logout_url: str, now: float
) -> list[Finding]:
    if not reading.is_known:
        return [skipped("attributes.released", "Released attributes and sign-outs", "the database was not read")]
    began = [session.created_at for session in reading.sessions]
    return [
        *evaluate_sessions(reading.sessions, settings, requested, settings.cas_protocol, now),
        evaluate_last_logout(reading.last_ended_by_cas, began=began, url=logout_url, now=now),
    ]
