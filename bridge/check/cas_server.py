"""Probes of the CAS server: its validation URL for the bridge, and its login page for browsers."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import cast
from urllib.parse import urlsplit

from bridge.cas.endpoints import CasEndpoints
from bridge.check import connection_findings, protocols
from bridge.check.certificate_findings import evaluate_ca_file, evaluate_trusted, unusable_ca_file
from bridge.check.certificates import TrustConfig, ca_file_error, read_certificates
from bridge.check.findings import Finding, note, ok, skipped, warning
from bridge.check.login_page import HTML, LoginPage, evaluate_renew, is_same_service, skipped_service
from bridge.check.probe import Failure, ProbeClient, Response, Target, run_in_background
from bridge.check.registration import Registration
from bridge.settings import Settings, is_loopback

CA_SETTING = "PASSERELLE_CAS_CA_FILE"
_XML = {"Accept": "text/xml, application/xml"}
_COMMON_PATHS = ("/cas", "", "/cas-server", "/sso")


def check_cas(settings: Settings, client: ProbeClient, ticket: str, now: float) -> list[Finding]:
    """Check everything about CAS that needs no sign-in, with a made-up ticket, at a time in Unix seconds."""
    file = settings.cas_ca_file
    if file and (error := ca_file_error(file)):
        return [
            unusable_ca_file("cas.ca_file", CA_SETTING, file, error),
            skipped("cas.protocol", "CAS", "no certificate can be verified"),
        ]
    return _CasCheck(settings, client, ticket, now).findings()


class _CasCheck:
    def __init__(self, settings: Settings, client: ProbeClient, ticket: str, now: float) -> None:
        self.settings, self.client, self.ticket, self.now = settings, client, ticket, now
        self.addresses = CasEndpoints.from_settings(settings)
        self.base = settings.cas_internal_url or settings.cas_url
        self.registration = Registration.from_settings(settings)
        self.setting = "PASSERELLE_CAS_INTERNAL_URL" if settings.cas_internal_url else "PASSERELLE_CAS_URL"
        if settings.cas_validate_url:
            self.setting = "PASSERELLE_CAS_VALIDATE_URL"
        proxy = None if settings.cas_proxy is None else settings.cas_proxy.get_secret_value()
        self.back = Target(url=settings.cas_validate_url or self.base, ca_file=settings.cas_ca_file, proxy=proxy)
        # Browsers have their own authorities. A machine that needs the proxy for CAS needs it here as well.
        self.front = replace(self.back, url=self.addresses.login, is_ca_file_exclusive=False)
        self.trust = TrustConfig(owner="CAS", setting=CA_SETTING, now=now, ca_file=settings.cas_ca_file)
        self.is_cas_found = False
        self.not_found_reason = "CAS did not respond"
        self.is_server_blocked = False

    @property
    def is_split(self) -> bool:
        """Return whether browsers and the bridge use different addresses of CAS."""
        origins = [(target.scheme, target.host, target.port) for target in (self.back, self.front)]
        return origins[0] != origins[1]

    def findings(self) -> list[Finding]:
        found = self._check_validation()
        if self.is_split:
            return [*found, *self._check_browser_address()]
        if not self.is_cas_found and not self.is_server_blocked:
            return [*found, skipped_service(self.not_found_reason)]
        page = self._login_page(self.addresses)
        return [*found, self._check_service(self.addresses), *evaluate_renew(page.request(None))]

    def _check_validation(self) -> list[Finding]:
        configured = cast(protocols.ProtocolName, self.settings.cas_protocol)
        first = self._send_ticket(self.addresses)
        if isinstance(first, Failure):
            found = self._evaluate_failure(self.back, first, "cas", self.setting)
            if first.kind == "http" and (https := self._https_base()):
                found = replace(found, means="That port speaks TLS.", do=f"Set {self.setting}={https}")
            return [found]
        timing = [connection_findings.evaluate_clock(first), connection_findings.evaluate_response_time(first)]
        return [*self._evaluate_certificate(first), *filter(None, timing), self._evaluate_protocols(first, configured)]

    def _evaluate_protocols(self, first: Response, configured: protocols.ProtocolName) -> Finding:
        result = protocols.classify_response(first, configured, self.registration.service)
        results = {configured: result, **self._probe_other_protocols(configured)}
        self.is_cas_found = any(one.is_supported or one.verdict == "ticket_accepted" for one in results.values())
        if not self.is_cas_found and result.verdict == "redirect":
            self.not_found_reason = "CAS redirects"
            return protocols.evaluate_redirect(self.back.url, result, self.setting, self._redirected_base(result))
        if not self.is_cas_found and self._is_supported_without_service(configured):
            self.is_cas_found = True
            return protocols.evaluate_service_rejected(result, configured)
        self.not_found_reason = "no CAS server was found"
        searches = not self.is_cas_found and not self.settings.cas_validate_url
        other_url = self._find_other_url(result) if searches else None
        if not self.is_cas_found and other_url is None and protocols.is_blocked(result.status):
            self.is_server_blocked = True
            return protocols.evaluate_blocked(result)
        wants_json = self.settings.cas_format == "json"
        return protocols.evaluate_protocols(
            results, configured, setting=self.setting, wants_json=wants_json, other_url=other_url
        )

    def _send_ticket(self, addresses: CasEndpoints) -> Response | Failure:
        service, request_id = self.registration.service, self.ticket[-16:]
        request = addresses.validation_request(service, self.ticket, renew=False, now=self.now, request_id=request_id)
        target = replace(self.back, url=addresses.validate)
        return self.client.send(target, request.url, body=request.body, headers=request.headers)

    def _default_addresses(self, name: protocols.ProtocolName, base: str | None = None) -> CasEndpoints:
        is_json = name == "json"
        older = "2.0" if self.settings.cas_protocol == "2.0" else "3.0"
        addresses = CasEndpoints.from_base_url(base or self.base, protocol=older if is_json else name)
        parameters = self.settings.cas_validate_parameters
        return replace(addresses, format="json" if is_json else "xml", validate_parameters=parameters)

    def _probe(self, name: protocols.ProtocolName, base: str | None = None) -> protocols.ProbeResult:
        response = self._send_ticket(self._default_addresses(name, base))
        return protocols.classify_response(response, name, self.registration.service)

    def _probe_other_protocols(
        self, configured: protocols.ProtocolName
    ) -> Mapping[protocols.ProtocolName, protocols.ProbeResult]:
        names: list[protocols.ProtocolName] = [name for name in (*protocols.PROTOCOLS, "json") if name != configured]
        tasks = {name: run_in_background(partial(self._probe, name)) for name in names}
        return {name: task.result() for name, task in tasks.items()}

    def _is_supported_without_service(self, configured: protocols.ProtocolName) -> bool:
        """Probe without parameters, for which CAS defines a failure code (§2.5.3)."""
        url = self.addresses.validate
        response = self.client.send(replace(self.back, url=url), headers=_XML)
        return protocols.classify_response(response, configured, self.registration.service).is_supported

    def _find_other_url(self, result: protocols.ProbeResult) -> str | None:
        """Find a CAS server elsewhere on the same host."""
        if result.status == 400 and (https := self._https_base()):
            return https
        parts = urlsplit(self.base)
        bases = [f"{parts.scheme}://{parts.netloc}{path}" for path in _COMMON_PATHS]
        candidates = [self.base.replace("http:", "https:", 1), *bases]
        return next((base for base in candidates if base != self.base and self._probe("2.0", base).is_supported), None)

    def _redirected_base(self, result: protocols.ProbeResult) -> str:
        """Return the base URL that a redirect suggests, if CAS responds there or only the scheme differs."""
        better = protocols.redirected_base(self.base, result)
        if self.settings.cas_validate_url or not better:
            return ""
        is_upgrade = better == self.base.replace("http:", "https:", 1)
        is_there = any(self._probe(name, better).is_supported for name in ("2.0", "1.0") if not is_upgrade)
        return better if is_upgrade or is_there else ""

    def _https_base(self) -> str | None:
        """Return the https form of an http address if that port speaks TLS; the next run checks its certificate."""
        if self.back.scheme != "http" or self.settings.cas_validate_url:
            return None
        base = self.base.replace("http:", "https:", 1)
        return None if self.client.is_trusted(replace(self.back, url=base)) is None else base

    def _evaluate_certificate(self, first: Response) -> list[Finding]:
        if self.back.scheme == "http":
            return [connection_findings.evaluate_without_tls(self.back, is_internal=self.is_split)]
        found = evaluate_trusted("cas.certificate", self.back.host, first.certificate, self.trust)
        file = self.settings.cas_ca_file
        if not file:
            return [found]
        ca_file = evaluate_ca_file(
            "cas.ca_file",
            CA_SETTING,
            is_needed=self.client.is_trusted(replace(self.back, ca_file=None)) is not True,
            holds_server_certificate=first.certificate is not None and first.certificate in read_certificates(file),
        )
        return [found, *([ca_file] if ca_file else [])]

    def _login_page(self, addresses: CasEndpoints) -> LoginPage:
        return LoginPage(target=self.front, addresses=addresses, client=self.client, registration=self.registration)

    def _check_service(self, addresses: CasEndpoints) -> Finding:
        page = self._login_page(addresses)
        response = page.request(self.registration.service)
        if self.is_server_blocked and isinstance(response, Response) and protocols.is_blocked(response.status):
            return skipped_service(f"every response has status {response.status}")
        return page.evaluate(response)

    def _check_browser_address(self) -> list[Finding]:
        """Check the address for browsers, which this machine may not be able to reach."""
        page = self._login_page(self.addresses)
        response = page.request(self.registration.service)
        if isinstance(response, Response):
            reached = ok("cas.browser", f"Browsers reach CAS at {self.settings.cas_url}.")
            if self.front.scheme == "https":
                certificate = response.certificate
                reached = evaluate_trusted("cas.browser.certificate", self.front.host, certificate, self.trust)
            return [reached, page.evaluate(response), *self._compare_addresses(response)]
        if response.kind in ("name", "refused") and is_loopback(self.front.host):
            seen = f"Only browsers resolve {self.front.host} to the machine of CAS, so the check sent no request."
            return [note("cas.browser", seen, "This is normal in a demo."), self._check_internal_service()]
        setting = "PASSERELLE_CAS_LOGIN_URL" if self.settings.cas_login_url else "PASSERELLE_CAS_URL"
        found = self._evaluate_failure(self.front, response, "cas.browser", setting)
        if "expired" not in found.seen and " is for " not in found.seen:
            means = f"{found.means} Browsers may have another route, or other authorities, than this machine."
            found = replace(found, level="warning", means=means)
        return [found, self._check_internal_service()]

    def _check_internal_service(self) -> Finding:
        """Check the login page at the internal address of the same server."""
        if not self.is_cas_found or self.settings.cas_login_url:
            return skipped_service("its login page was not reached")
        return self._check_service(CasEndpoints.from_base_url(self.base))

    def _compare_addresses(self, response: Response) -> list[Finding]:
        """Compare the registries behind both addresses, which must be the same server."""
        service = self.registration.service
        if not self.is_cas_found or not (response.is_redirect and is_same_service(response.location, service)):
            return []
        internal = CasEndpoints.from_base_url(self.base)
        target = replace(self.back, url=internal.login)
        other = self.client.send(target, internal.login_url(service, gateway=True), headers=HTML)
        if isinstance(other, Failure) or other.status == 404 or other.is_redirect:
            return []
        seen = f"{self.settings.cas_url} knows our service URL, {self.base} does not."
        means = "They may be two CAS servers. Then each one rejects the tickets of the other."
        return [warning("cas.internal", seen, means, f"Check that {self.setting} leads to the same server.")]

    def _evaluate_failure(self, target: Target, failure: Failure, id: str, setting: str) -> Finding:
        remedy = f"Check {setting} and its port, that CAS runs, and that it is reachable (`curl -sv {target.url}`)."
        server = connection_findings.ServerContext(id=id, name="The CAS server", setting=setting, remedy=remedy)
        return connection_findings.evaluate_failure(server, target, failure, self.trust)
