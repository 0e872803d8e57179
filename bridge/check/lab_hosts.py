"""Check of the host names of the labs, in the bundle only: origin, DNS, certificate and routing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bridge.check.certificate_findings import evaluate_trusted
from bridge.check.certificates import TrustConfig, read_certificates
from bridge.check.connection_findings import ServerContext, evaluate_failure
from bridge.check.findings import Finding, fault, note, ok, printable, warning
from bridge.check.probe import Failure, Response, Target
from bridge.check.public_address import choose_ca_file
from bridge.settings import is_loopback

WILDCARD = "*."
PROBE_LABEL = "u-x--passerelle-check"  # no user has this label (hub/config/lab_hosts.py)
_PAGE = "docs/hub/origins.md describes the alternatives."
_SERVER = ServerContext(
    id="labs",
    name="The host of the labs",
    setting="LAB_HOST",
    remedy="Check the DNS entry of LAB_HOST and the firewall. Some networks do not let a machine reach its own public "
    "address; in that case, run this elsewhere.",
)

Send = Callable[[Target], Response | Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabHostCheck:
    """The check of LAB_HOST."""

    hub_url: str
    lab_host: str  # LAB_HOST; empty for the hub's own host
    edge_certificate: Path | None = None
    ca_option: Path | None = None  # the `--ca-file` option
    cas_ca_file: Path | None = None

    def findings(self, send: Send | None, now: float) -> list[Finding]:
        """Evaluate the layout, and probe the host.

        Args:
            send: Sends a request; None for no probe.
            now: Unix seconds.
        """
        found = [evaluate_origin(self.lab_host)]
        if self.lab_host and send is not None:
            found += self._probe(send, now)
        return found

    def _probe(self, send: Send, now: float) -> list[Finding]:
        host, port = self.lab_host, urlsplit(self.hub_url).port
        if host.startswith(WILDCARD):
            host = f"{PROBE_LABEL}.{host.removeprefix(WILDCARD)}"
        ca_file, setting = choose_ca_file(self.ca_option, self.cas_ca_file)
        target = Target(url=f"https://{host}{f':{port}' if port else ''}/", ca_file=ca_file, is_ca_file_exclusive=False)
        trust = TrustConfig(owner="this site", setting=setting, now=now, ca_file=ca_file, is_ours=True)
        response = send(target)
        if isinstance(response, Failure) and response.kind == "name" and is_loopback(host):
            return [note("labs.name", f"Only browsers resolve {host} to this machine, so the check sent no request.")]
        if isinstance(response, Failure) and self._is_own_certificate(response):
            through_edge = send(replace(target, ca_file=self.edge_certificate))
            if isinstance(through_edge, Response):
                seen = f"{host} has the certificate of this deployment, which this machine does not trust."
                return [note("labs.certificate", seen), evaluate_route(host, self.hub_url, through_edge)]
            response = through_edge
        if isinstance(response, Failure):
            return [replace(evaluate_failure(_SERVER, target, response, trust), to_cas=None)]
        certificate = replace(evaluate_trusted("labs.certificate", host, response.certificate, trust), to_cas=None)
        return [certificate, evaluate_route(host, self.hub_url, response)]

    def _is_own_certificate(self, failure: Failure) -> bool:
        leaf = next(iter(failure.chain), None)
        return bool(self.edge_certificate and leaf and leaf in read_certificates(self.edge_certificate))


def evaluate_origin(lab_host: str) -> Finding:
    """Evaluate which origins the labs share."""
    if not lab_host:
        return warning(
            "labs.origin",
            "Labs share the hub's origin, because LAB_HOST is empty.",
            "A page in any user's lab can act at the hub and in other labs as the user who opens it. Administrators "
            "cannot open the labs of other users.",
            f"Set LAB_HOST. {_PAGE}",
        )
    if lab_host.startswith(WILDCARD):
        return ok("labs.origin", f"Each user's lab has a host of its own below {lab_host.removeprefix(WILDCARD)}.")
    means = "A page in one user's lab can act in the lab of a user who opens it, but not at the hub."
    return note("labs.origin", f"All labs share one origin, {lab_host}.", means, f"A wildcard separates them. {_PAGE}")


def evaluate_route(host: str, hub_url: str, response: Response) -> Finding:
    """Evaluate whether the edge responds at a host of the labs; without a lab, it redirects to the hub."""
    if response.is_redirect and f"{response.location}/".startswith(f"{hub_url}/"):
        return ok("labs.host", f"The edge responds at {host}.")
    what = f"a redirect to {printable(response.location)}" if response.is_redirect else f"status {response.status}"
    return fault(
        "labs.host",
        f"Another program or another configuration responds at {host} ({what}).",
        "Users cannot open their labs.",
        "Correct the DNS entry of LAB_HOST, or run `docker compose up -d --wait` after a change of .env.",
    )
