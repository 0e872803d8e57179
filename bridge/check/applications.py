"""Checks of the back-channel logout URIs: connections like those of a logout delivery, without any request.

A logout delivery trusts this system's authorities only (`SSL_CERT_FILE` replaces them), uses no proxy, and has the
same time limit.
"""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.check.certificates import Certificate, TrustConfig
from bridge.check.connection_findings import ServerContext, evaluate_failure
from bridge.check.findings import Finding, join_names, ok, printable, skipped, warning
from bridge.check.probe import BackgroundTask, Failure, ProbeClient, Target
from bridge.settings import ClientSettings

DELIVERY_SECONDS = 5.0  # a test compares it with ATTEMPT_SECONDS of bridge/oauth/backchannel.py
MAX_CONNECTIONS = 16
ID = "logout.application"

_MEANS = (
    "The application receives no sign-outs from elsewhere: its users stay signed in there until its own session ends. "
    "The bridge retries each delivery for a day."
)
_TRUST_SETTING = (
    "SSL_CERT_FILE (in the environment of the bridge and of this command; it replaces the system's authorities)"
)
_REMEDY = "Check that it runs, and that its proxy and the firewalls allow connections from the bridge."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionResult:
    """The result of one connection."""

    failure: Failure | None = None
    chain: Sequence[Certificate] = ()
    """The certificates of the server, if they are not trusted."""


def check_applications(
    clients: Iterable[ClientSettings], settings_ids: Collection[str], client: ProbeClient, now: float
) -> list[Finding]:
    """Return one finding for each unreachable application, and one for all the others."""
    targets = {one.client_id: _origin(one.backchannel_logout_uri) for one in clients if one.backchannel_logout_uri}
    results = _connect_all(targets.values(), client)
    found = [
        finding
        for client_id, target in targets.items()
        if (finding := evaluate_application(client_id, target, results.get(target), client_id in settings_ids, now))
    ]
    if reached := [name for name, target in targets.items() if (one := results.get(target)) and not one.failure]:
        found.append(ok(ID, f"Applications that can receive sign-outs: {join_names(reached)}."))
    return found


def evaluate_application(
    client_id: str, target: Target, result: ConnectionResult | None, is_in_settings: bool, now: float
) -> Finding | None:
    """Explain why an application cannot receive sign-outs; return None if it can."""
    name = printable(client_id)
    if result is None:
        return skipped(ID, f"Sign-out delivery to {name}", "the time limit of the whole check was reached")
    if result.failure is None:
        return None
    where = "in the settings" if is_in_settings else f"(`passerelle clients edit {name} --backchannel-logout-uri URI`)"
    address = f"the backchannel_logout_uri of {name} {where}"
    server = ServerContext(id=ID, name="The application", setting=address, remedy=f"{_REMEDY} Or correct {address}.")
    trust = TrustConfig(owner="the application", setting=_TRUST_SETTING, now=now)
    found = evaluate_failure(server, target, result.failure, result.chain, trust)
    # The meaning of an untrusted certificate is about sign-ins, so it does not apply here.
    means = "" if result.failure.kind == "certificate" else f"{found.means} "
    seen = f"{name} cannot receive sign-outs: {found.seen[:1].lower()}{found.seen[1:]}"
    return warning(ID, seen, f"{means}{_MEANS}", found.do)


def _origin(uri: str) -> Target:
    parts = urlsplit(uri)
    return Target(url=f"{parts.scheme}://{parts.netloc}".lower())


def _connect_all(targets: Iterable[Target], client: ProbeClient) -> Mapping[Target, ConnectionResult]:
    """Connect to each server once, to at most `MAX_CONNECTIONS` at a time."""
    pending: queue.SimpleQueue[Target] = queue.SimpleQueue()
    for target in (distinct := dict.fromkeys(targets)):
        pending.put(target)
    results: dict[Target, ConnectionResult] = {}

    def work() -> None:
        # With less time left than a delivery has, a slow server would seem unreachable.
        while client.has_time_for(DELIVERY_SECONDS):
            try:
                target = pending.get_nowait()
            except queue.Empty:
                return
            failure = client.connect(target, seconds=DELIVERY_SECONDS)
            is_untrusted = failure is not None and failure.kind == "certificate"
            chain = client.fetch_certificates(target) if is_untrusted else ()
            results[target] = ConnectionResult(failure=failure, chain=chain)

    for task in [BackgroundTask(work) for _ in range(min(MAX_CONNECTIONS, len(distinct)))]:
        task.result()
    return results
