"""Probes of the public address of the bridge, sent from this machine as an external client would send them."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from bridge.check import public_findings
from bridge.check.cas_server import CA_SETTING
from bridge.check.certificate_findings import evaluate_trusted, unusable_ca_file
from bridge.check.certificates import TrustConfig, ca_file_error, read_certificates
from bridge.check.connection_findings import ServerContext, evaluate_failure
from bridge.check.findings import Finding, note, skipped
from bridge.check.probe import Failure, ProbeClient, Response, Target
from bridge.check.single_logout import evaluate_logout_request, evaluate_query, logout_form, logout_query
from bridge.settings import Settings, is_loopback

CA_OPTION = "--ca-file"
_REMEDY = (
    "Check the DNS entry, the reverse proxy and the firewall. Some networks do not let a machine reach its own public "
    "address; in that case, run this elsewhere. Before the bridge runs: `passerelle check --no-public`."
)


def choose_ca_file(option: Path | None, cas_ca_file: Path | None) -> tuple[Path | None, str]:
    """Return the CA file for our public address, and the setting that names it.

    It is `--ca-file`, else the one for CAS, because one authority often serves the whole institution. Only errors in
    the former are reported.
    """
    if option is None and cas_ca_file and ca_file_error(cas_ca_file) is None:
        return cas_ca_file, CA_SETTING
    return option, CA_OPTION


@dataclass(slots=True)
class PublicAddressCheck:
    """The check of our public address."""

    settings: Settings
    ca_option: Path | None  # the `--ca-file` option
    edge_certificate: Path | None  # the certificate of the bundle's own edge; None outside the bundle
    our_kids: Collection[str]
    client: ProbeClient
    ticket: str  # made up
    now: float  # Unix seconds
    target: Target = field(init=False)

    def findings(self) -> list[Finding]:
        """Probe our public address."""
        ca_file, setting = choose_ca_file(self.ca_option, self.settings.cas_ca_file)
        if ca_file and (error := ca_file_error(ca_file)):
            return [unusable_ca_file("public.ca_file", CA_OPTION, ca_file, error)]
        self.target = target = Target(url=self.settings.issuer, ca_file=ca_file, is_ca_file_exclusive=False)
        trust = TrustConfig(owner="this site", setting=setting, now=self.now, ca_file=ca_file, is_ours=True)
        discovery = self._fetch_discovery()
        if isinstance(discovery, Response):
            return [_evaluate_certificate(target, discovery, trust), *self._evaluate_bridge(discovery)]
        if discovery.kind == "name" and is_loopback(target.host):
            seen = f"Only browsers resolve {target.host} to this machine, so the check sent no request."
            return [note("public.name", seen, "This is normal in a demo."), _logout_skipped("it sent no request there")]
        edge, leaf = self.edge_certificate, next(iter(discovery.chain), None)
        if edge and leaf and leaf in read_certificates(edge):
            self.target = replace(target, ca_file=edge)
            through_edge = self._fetch_discovery()
            if isinstance(through_edge, Response):
                found = public_findings.evaluate_edge_certificate(target.host, leaf)
                return [found, *self._evaluate_bridge(through_edge)]
        server = ServerContext(id="public", name="This site", setting="PASSERELLE_ISSUER", remedy=_REMEDY)
        failure = evaluate_failure(server, target, discovery, trust)
        return [replace(failure, to_cas=None), _logout_skipped("our public address did not respond")]

    def _fetch_discovery(self) -> Response | Failure:
        return self.client.send(self.target, f"{self.target.url}/.well-known/openid-configuration")

    def _evaluate_bridge(self, discovery: Response) -> list[Finding]:
        issuer, served = self.target.url, public_findings.served_issuer(discovery)
        other_program = public_findings.evaluate_program(issuer, discovery)
        if other_program is not None or served is None:
            return [*([other_program] if other_program else []), _logout_skipped("the bridge was not found there")]
        found = public_findings.evaluate_issuer(issuer, served)
        if found.level == "FAULT":
            return [found, _logout_skipped("another issuer responds there")]
        jwks = self.client.send(self.target, f"{issuer}/.well-known/jwks.json")
        return [
            found,
            public_findings.evaluate_identity(discovery, jwks, self.our_kids),
            *self._evaluate_exposure(discovery),
            *self._evaluate_logout(),
        ]

    def _evaluate_exposure(self, discovery: Response) -> list[Finding]:
        target = self.target
        found = [public_findings.evaluate_metrics(self.client.send(target, f"{target.url}/metrics"))]
        if target.scheme == "https":
            found.append(public_findings.evaluate_hsts(discovery))
            if target.port == 443:
                plain = Target(url=f"http://{target.host}{urlsplit(target.url).path}/")
                found.append(public_findings.evaluate_plain_http(target.url, self.client.send(plain)))
        return found

    def _evaluate_logout(self) -> list[Finding]:
        url = f"{self.target.url}/cas/logout"
        form = logout_form(self.ticket, self.now).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        posted = self.client.send(self.target, url, body=form, headers=headers)
        query = self.client.send(self.target, f"{url}?{logout_query(self.ticket, self.now)}")
        return [evaluate_query(query, url), evaluate_logout_request(posted, url)]


def _logout_skipped(reason: str) -> Finding:
    return skipped("logout.reach", "Single logout requests to the bridge", reason)


def _evaluate_certificate(target: Target, discovery: Response, trust: TrustConfig) -> Finding:
    if target.scheme == "https":
        return replace(evaluate_trusted("public.certificate", target.host, discovery.certificate, trust), to_cas=None)
    seen = f"{target.url} is plain HTTP on this machine: suitable for a trial, and unreachable from others."
    return note("public.certificate", seen)
