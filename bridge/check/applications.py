"""Checks of the back-channel logout URIs: connections like those of a logout delivery, without any request.

A logout delivery trusts this system's authorities only (`SSL_CERT_FILE` replaces them), uses no proxy, and has the
same time limit.
"""

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from bridge.check.certificates import TrustConfig
from bridge.check.connection_findings import ServerContext, evaluate_failure
from bridge.check.findings import Finding, join_names, ok, printable, skipped, warning
from bridge.check.probe import Failure, ProbeClient, Target, run_in_background
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


def check_applications(
    clients: Iterable[ClientSettings], settings_ids: Collection[str], client: ProbeClient, now: float
) -> list[Finding]:
    """Return one finding for each unreachable application, and one for all the others."""
    targets = {one.client_id: _origin(one.backchannel_logout_uri) for one in clients if one.backchannel_logout_uri}
    results = _connect_all(targets.values(), client)
    found = []
    for name, target in targets.items():
        if target not in results:
            what = f"Sign-out delivery to {printable(name)}"
            found.append(skipped(ID, what, "the time limit of the whole check was reached"))
        elif failure := results[target]:
            found.append(evaluate_application(name, target, failure, is_in_settings=name in settings_ids, now=now))
    if reached := [name for name, target in targets.items() if results.get(target, client) is None]:
        found.append(ok(ID, f"Applications that can receive sign-outs: {join_names(reached)}."))
    return found


def evaluate_application(
    client_id: str, target: Target, failure: Failure, *, is_in_settings: bool, now: float
) -> Finding:
    """Explain why an application cannot receive sign-outs."""
    name = printable(client_id)
    where = "in the settings" if is_in_settings else f"(`passerelle clients edit {name} --backchannel-logout-uri URI`)"
    address = f"the backchannel_logout_uri of {name} {where}"
    server = ServerContext(id=ID, name="The application", setting=address, remedy=f"{_REMEDY} Or correct {address}.")
    trust = TrustConfig(owner="the application", setting=_TRUST_SETTING, now=now)
    found = evaluate_failure(server, target, failure, trust)
    # The meaning of an untrusted certificate is about sign-ins, so it does not apply here.
    means = "" if failure.kind == "certificate" else f"{found.means} "
    seen = f"{name} cannot receive sign-outs: {found.seen[:1].lower()}{found.seen[1:]}"
    return warning(ID, seen, f"{means}{_MEANS}", found.do)


def _origin(uri: str) -> Target:
    parts = urlsplit(uri)
    return Target(url=f"{parts.scheme}://{parts.netloc}".lower())


def _connect_all(targets: Iterable[Target], client: ProbeClient) -> Mapping[Target, Failure | None]:
    """Connect to each server once, to at most `MAX_CONNECTIONS` at a time."""
    pending = dict.fromkeys(targets)
    results: dict[Target, Failure | None] = {}

    def work() -> None:
        # With less time left than a delivery has, a slow server would seem unreachable.
        while client.has_time_for(DELIVERY_SECONDS):
            try:
                target, _ = pending.popitem()
            except KeyError:
                return
            results[target] = client.connect(target, seconds=DELIVERY_SECONDS)

    for task in [run_in_background(work) for _ in range(min(MAX_CONNECTIONS, len(pending)))]:
        task.result()
    return results
