"""What the CAS server is asked, for validations and for browsers, whose addresses can differ."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from bridge.cas.endpoints import CasEndpoints
from bridge.check.asking import Asker, MadeUp
from bridge.check.authorities import certificates_in, fault_of_ca_file
from bridge.check.certificates import Trust, judge_trusted
from bridge.check.findings import Finding, left_out, note, ok, warning
from bridge.check.installation import judge_ca_file
from bridge.check.probe import Answer, Place, Trouble
from bridge.check.protocols import (
    PROTOCOLS,
    ProbeResult,
    Way,
    hear,
    is_kept_out,
    judge_kept_out,
    judge_only_without_service,
    judge_protocols,
    judge_redirect,
    speaks_any,
)
from bridge.check.reach import Server, judge_clock, judge_speed, judge_trouble, judge_without_tls
from bridge.check.registration import leads_to
from bridge.check.sign_in_page import Ours, SignInPage
from bridge.proxy import parse_proxy_url
from bridge.settings import Settings, is_loopback

CA_SETTING = "PASSERELLE_CAS_CA_FILE"
_XML = {"Accept": "text/xml, application/xml"}
_USUAL_PATHS = ("/cas", "", "/cas-server", "/sso")


def examine_cas(settings: Settings, asker: Asker, made_up: MadeUp) -> list[Finding]:
    """Everything about CAS that can be found out without signing in."""
    return _Examination(settings, asker, made_up).findings()


class _Examination:
    def __init__(self, settings: Settings, asker: Asker, made_up: MadeUp) -> None:
        self.settings, self.asker, self.made_up = settings, asker, made_up
        self.addresses = CasEndpoints.from_settings(settings)
        self.base = settings.cas_internal_url or settings.cas_url
        self.ours = Ours(
            issuer=settings.issuer,
            state_in_cookie=settings.cas_service_state == "cookie",
            returns_from_logout=settings.cas_logout == "return",
        )
        self.service = self.ours.service
        self.setting = "PASSERELLE_CAS_INTERNAL_URL" if settings.cas_internal_url else "PASSERELLE_CAS_URL"
        if settings.cas_validate_url:
            self.setting = "PASSERELLE_CAS_VALIDATE_URL"
        proxy = None if settings.cas_proxy is None else parse_proxy_url(settings.cas_proxy.get_secret_value())
        self.back = Place(url=settings.cas_validate_url or self.base, ca_file=settings.cas_ca_file, proxy=proxy)
        # Browsers have authorities of their own; whoever has no way to CAS but the proxy has none to this address.
        self.front = replace(self.back, url=self.addresses.login, ca_file_alone=False)
        self.trust = Trust(whose="CAS", setting=CA_SETTING, now=made_up.now, ca_file=settings.cas_ca_file)

    @property
    def is_split(self) -> bool:
        """Whether browsers find CAS at another server address than we do."""
        return (self.back.scheme, self.back.host, self.back.port) != (
            *(self.front.scheme, self.front.host, self.front.port),
        )

    def findings(self) -> list[Finding]:
        if (file := self.settings.cas_ca_file) and (reason := fault_of_ca_file(file)):
            found = judge_ca_file("cas.ca_file", CA_SETTING, file, reason, is_needed=None)
            return [*([found] if found else []), left_out("cas.protocol", "CAS", "nothing can be trusted there")]
        validation = self._validation()
        if not self.is_split:
            if not self._speaks_something and self._kept_out is None:
                return [*validation, left_out("cas.service", "Whether our address is registered", self._why_not)]
            return [*validation, *self._service(self.addresses)]
        return [*validation, *self._front()]

    _speaks_something = False
    _why_not = "CAS did not answer"
    _kept_out: int | None = None
    """A status that says nothing about the address."""

    def _validation(self) -> list[Finding]:
        configured = cast(Way, self.settings.cas_protocol)
        first = self._ask_about_ticket(self.addresses)
        if isinstance(first, Trouble):
            return [self._with_https(self._trouble(self.back, first, "cas", self.setting), first)]
        seen_by_the_way = [judge_clock("cas.clock", first), judge_speed("cas.speed", first)]
        found = [*self._connection(first), *filter(None, seen_by_the_way)]
        said = hear(first, configured, self.service)
        if said.verdict == "redirects":
            self._why_not = "CAS redirects"
            return [*found, judge_redirect("cas.redirect", self.back.url, said, self.setting)]
        heard = {configured: said, **self._other_ways(configured)}
        self._speaks_something = speaks_any(heard)
        if not self._speaks_something and self._speaks_without_service(configured):
            self._speaks_something = True
            return [*found, judge_only_without_service("cas.protocol", said, configured)]
        self._why_not = "no CAS server was found"
        elsewhere = None if self._speaks_something or self.settings.cas_validate_url else self._elsewhere(said)
        if not self._speaks_something and elsewhere is None and is_kept_out(said.status):
            self._kept_out = said.status
            return [*found, judge_kept_out("cas.protocol", said)]
        wants_json = self.settings.cas_format == "json"
        judged = judge_protocols(
            "cas.protocol", heard, configured, setting=self.setting, wants_json=wants_json, elsewhere=elsewhere
        )
        return [*found, judged]

    def _ask_about_ticket(self, addresses: CasEndpoints) -> Answer | Trouble:
        ticket = self.made_up.ticket
        asked = addresses.validation_request(
            self.service, ticket, renew=False, now=self.made_up.now, request_id=ticket[-16:]
        )
        return self.asker.ask(
            replace(self.back, url=addresses.validate), asked.url, body=asked.body, headers=asked.headers
        )

    def _way(self, way: Way, base: str | None = None) -> CasEndpoints:
        """The usual address of a protocol."""
        is_json = way == "json"
        usual = CasEndpoints.from_base_url(base or self.base, protocol="3.0" if is_json else way)
        parameters = self.settings.cas_validate_parameters
        return replace(usual, format="json" if is_json else "xml", validate_parameters=parameters)

    def _other_ways(self, configured: Way) -> Mapping[Way, ProbeResult]:
        ways: list[Way] = [way for way in (*PROTOCOLS, "json") if way != configured]
        with ThreadPoolExecutor(len(ways)) as pool:
            answers = pool.map(self._ask_about_ticket, map(self._way, ways))
            return {way: hear(answer, way, self.service) for way, answer in zip(ways, answers, strict=True)}

    def _speaks_without_service(self, configured: Way) -> bool:
        """Whether CAS answers as long as our address is not named: §2.5.3 has a code for a question without one."""
        url = self.addresses.validate
        said = hear(self.asker.ask(replace(self.back, url=url), url, headers=_XML), configured, self.service)
        return said.verdict in ("speaks", "refuses_service")

    def _elsewhere(self, said: ProbeResult) -> str | None:
        """Where else at the same host a CAS server answers."""
        if said.status == 400 and (https := self._by_https()):
            return https
        parts = urlsplit(self.base)
        bases = [f"{parts.scheme}://{parts.netloc}{path}" for path in _USUAL_PATHS]
        for base in [self.base.replace("http:", "https:", 1), *bases]:
            if base != self.base:
                said = hear(self._ask_about_ticket(self._way("2.0", base)), "2.0", self.service)
                if said.verdict in ("speaks", "refuses_service"):
                    return base
        return None

    def _by_https(self) -> str | None:
        """The same address by https, when what listens there speaks TLS: its certificate is the next run's question."""
        if self.back.scheme != "http" or self.settings.cas_validate_url:
            return None
        base = self.base.replace("http:", "https:", 1)
        return None if self.asker.is_trusted(replace(self.back, url=base)) is None else base

    def _with_https(self, found: Finding, trouble: Trouble) -> Finding:
        if trouble.kind == "http" and (https := self._by_https()):
            return replace(found, means="That port speaks TLS.", do=f"Set {self.setting}={https}")
        return found

    def _connection(self, first: Answer) -> list[Finding]:
        if self.back.scheme == "http":
            return [judge_without_tls("cas.port", self.back, is_internal=self.is_split)]
        certificate = judge_trusted("cas.certificate", self.back.host, first.certificate, self.trust)
        if not self.settings.cas_ca_file:
            return [certificate]
        system = replace(self.back, ca_file=None)
        is_needed = self.asker.is_trusted(system) is not True
        file = self.settings.cas_ca_file
        own = first.certificate is not None and first.certificate in certificates_in(file)
        needed = judge_ca_file("cas.ca_file", CA_SETTING, file, None, is_needed=is_needed, holds_its_own=own)
        return [certificate, *([needed] if needed else [])]

    def _page(self, addresses: CasEndpoints) -> SignInPage:
        return SignInPage(place=self.front, addresses=addresses, asker=self.asker, ours=self.ours)

    def _service(self, addresses: CasEndpoints) -> list[Finding]:
        page = self._page(addresses)
        ours = page.answer_for(self.service)
        if self._kept_out and isinstance(ours, Answer) and is_kept_out(ours.status):
            return [
                left_out("cas.service", "Whether our address is registered", f"status {ours.status} is all it says")
            ]
        return [page.judged(ours)]

    def _front(self) -> list[Finding]:
        """The browsers' address, when it is another: this machine need not have a way there."""
        page = self._page(self.addresses)
        ours = page.answer_for(self.service)
        if isinstance(ours, Trouble):
            if ours.kind in ("name", "refused") and is_loopback(self.front.host):
                seen = f"Browsers alone know {self.front.host} as the machine that CAS is on, so it was not asked."
                return [note("cas.browser", seen, "Good for a demo."), *self._service_behind()]
            setting = "PASSERELLE_CAS_LOGIN_URL" if self.settings.cas_login_url else "PASSERELLE_CAS_URL"
            found = self._trouble(self.front, ours, "cas.browser", setting)
            if "expired" not in found.seen and " is for " not in found.seen:
                means = f"{found.means} Browsers may have another way, or other authorities, than this machine."
                found = replace(found, level="warning", means=means)
            return [found, *self._service_behind()]
        reached = ok("cas.browser", f"Browsers reach CAS at {self.settings.cas_url}.")
        if self.front.scheme == "https":
            reached = judge_trusted("cas.browser.certificate", self.front.host, ours.certificate, self.trust)
        return [reached, page.judged(ours), *self._same_server(ours)]

    def _service_behind(self) -> list[Finding]:
        """The sign-in page by the internal address, which is the same server's."""
        if not self._speaks_something or self.settings.cas_login_url:
            return [left_out("cas.service", "Whether our address is registered", "the sign-in page was not reached")]
        return self._service(CasEndpoints.from_base_url(self.base))

    def _same_server(self, ours: Answer) -> list[Finding]:
        """Two addresses of one server agree about who is registered."""
        if not self._speaks_something or not (ours.is_redirect and leads_to(ours.location, self.service)):
            return []
        behind = CasEndpoints.from_base_url(self.base)
        there = self.asker.ask(
            replace(self.back, url=behind.login),
            behind.login_url(self.service, gateway=True),
            headers={"Accept": "text/html"},
        )
        if isinstance(there, Trouble) or there.status == 404 or there.is_redirect:
            return []
        return [
            warning(
                "cas.internal",
                f"{self.settings.cas_url} knows our address, {self.base} does not.",
                "They may be two different CAS servers: then the tickets of one are refused by the other.",
                f"Make sure that {self.setting} leads to the same server.",
            )
        ]

    def _trouble(self, place: Place, trouble: Trouble, about: str, setting: str) -> Finding:
        chain = self.asker.certificates(place) if trouble.kind == "certificate" else []
        remedy = (
            f"Check {setting} and its port, that CAS runs, and that this machine may connect there "
            f"(`curl -sv {place.url}`)."
        )
        server = Server(about=about, name="The CAS server", setting=setting, remedy=remedy)
        return judge_trouble(server, place, trouble, chain, self.trust)
