"""Findings about connections: failures, missing TLS, response time and clock. Pure."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from bridge.cas.client import CONNECT_SECONDS, READ_SECONDS
from bridge.check.certificate_findings import evaluate_untrusted
from bridge.check.certificates import TrustConfig
from bridge.check.findings import Finding, fault, format_duration, join_names, ok, printable, warning
from bridge.check.probe import Failure, FailureKind, Response, Target
from bridge.settings import is_loopback
from passerelle_common.i18n import Message

CLOCK_SKEW_SECONDS = 60

_MEANS: dict[FailureKind, str] = {
    "refused": "The machine is reachable, but no program listens on that port.",
    "unconnected": "A firewall probably drops the packets, or the machine is down.",
    "silent": "A program accepts the connection but does not respond: it hangs.",
    "tls": "The program on that port does not speak TLS.",
    "http": "The program on that port does not speak HTTP.",
    "network": "This machine has no route to that address.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """A server as the sentences of findings describe it."""

    id: str  # first part of the finding IDs
    name: str  # such as "The CAS server"
    setting: str  # the setting that holds the address
    remedy: str  # action if the server does not respond


def evaluate_failure(server: ServerContext, target: Target, failure: Failure, trust: TrustConfig) -> Finding:
    """Explain why a server did not respond."""
    host, detail, kind = target.host, printable(failure.detail), failure.kind
    where = f"{host}:{target.port}"
    if failure.addresses and list(failure.addresses) != [host]:
        where += f" ({join_names(failure.addresses, limit=4)})"
    if target.proxy and kind in ("name", "refused", "unconnected", "silent", "network"):
        seen = f"No connection to {where} through PASSERELLE_CAS_PROXY: {detail}."
        do = "Check the proxy's address and password, and that it allows this host."
        return fault(f"{server.id}.port", seen, "The proxy does not respond, or cannot reach that host.", do)
    if kind == "name":
        return fault(
            f"{server.id}.name",
            f"This machine cannot resolve the host name {host} ({detail}).",
            f"{server.name} cannot be found.",
            f"Correct {server.setting}, or the DNS where the bridge runs (`getent hosts {host}`). A container does not "
            "read the /etc/hosts of its machine; docs/operating.md describes the alternatives.",
        )
    if kind == "certificate":
        return evaluate_untrusted(f"{server.id}.certificate", host, failure.chain, failure.detail, trust)
    means = _MEANS[kind]
    if failure.addresses and all(map(is_loopback, failure.addresses)):
        means += " That address is this machine, or the container itself in which this command runs."
    wrong_scheme = {
        "tls": f"Correct the port, or change https to http, in {server.setting}.",
        "http": f"Correct the port or the scheme in {server.setting}.",
    }
    seen, to_cas = f"No response from {where}: {detail}.", None
    if kind == "unconnected":
        seen = f"No connection to {where}: {detail}."
        to_cas = Message("Our machine cannot connect to %(address)s. Please allow our address.", {"address": where})
    return fault(f"{server.id}.port", seen, means, wrong_scheme.get(kind, server.remedy), to_cas)


def evaluate_response_time(response: Response) -> Finding | None:
    """Compare the response time of CAS with the limits of a sign-in; return None if it is short."""
    connecting = (response.connect_seconds, CONNECT_SECONDS, "accept a connection")
    answering = (response.answer_seconds, READ_SECONDS, "respond")
    took, limit, action = max(connecting, answering, key=lambda span: span[0] / span[1])
    if took <= limit / 2:
        return None
    seen = f"CAS took {took:.1f} s to {action}; the limit during a sign-in is {limit:.0f} s."
    facts = {"seconds": f"{took:.1f}"}
    to_cas = Message("Your server took %(seconds)s s to validate a ticket. Please find out why.", facts)
    do = "Run this again. If the time stays long, ask the CAS administrator, or check DNS and proxies on the way."
    if took > limit:
        return fault("cas.speed", seen, "Sign-ins end with an error page (502).", do, to_cas)
    return warning("cas.speed", seen, "Sign-ins will fail when CAS is under higher load.", do, to_cas)


def evaluate_without_tls(target: Target, *, is_internal: bool) -> Finding:
    """Evaluate a CAS server that responds over plain HTTP."""
    seen = f"The server responds at {target.host}:{target.port} without TLS"
    if is_internal or is_loopback(target.host):
        return ok("cas.port", f"{seen}, which is safe within one machine or an isolated network.")
    means = "Passwords, tickets and user names can be read and changed in transit."
    to_cas = Message("http://%(host)s responds without TLS. Is there an https address?", {"host": target.host})
    return warning("cas.port", f"{seen}.", means, "Ask for the https address and set PASSERELLE_CAS_URL to it.", to_cas)


def evaluate_clock(response: Response) -> Finding | None:
    """Compare the Date header of CAS with the local clock; return None if there is no valid header."""
    try:
        theirs = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None
    offset = theirs - response.received_at
    if abs(offset) <= CLOCK_SKEW_SECONDS:
        return ok("cas.clock", f"The clocks of CAS and of this machine agree ({abs(offset):.0f} s apart).")
    facts = {"seconds": f"{offset:+.0f}"}
    return fault(
        "cas.clock",
        f"The clock of CAS is {format_duration(offset)} {'ahead of' if offset > 0 else 'behind'} this machine's.",
        "Sign-in times will be wrong, so applications ask for the password too often or too seldom.",
        "Compare `date -u` with the real time. Enable time synchronisation on the machine that is wrong.",
        Message("The clock of your server (Date header) differs from ours by %(seconds)s s. Please check NTP.", facts),
    )
