"""What our own public address is asked, from this machine, as anybody outside would ask it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bridge.check.asking import Asker, MadeUp
from bridge.check.authorities import certificates_in, fault_of_ca_file
from bridge.check.cas_server import CA_SETTING
from bridge.check.certificates import Trust, judge_trusted
from bridge.check.findings import Finding, left_out, note
from bridge.check.installation import judge_ca_file
from bridge.check.probe import Answer, Place, Trouble
from bridge.check.public import (
    issuer_of,
    judge_hsts,
    judge_identity,
    judge_issuer,
    judge_metrics,
    judge_own_certificate,
    judge_plain_http,
    judge_program,
)
from bridge.check.reach import Server, judge_trouble
from bridge.check.registration import single_logout_url
from bridge.check.single_logout import judge_logout, judge_query, logout_form, logout_query
from bridge.settings import is_loopback

_CA_OPTION = "--ca-file"
_REMEDY = (
    "Check the DNS entry, the reverse proxy and the firewall; some networks do not let a machine reach its own public "
    "address: then run this elsewhere. Before the bridge runs: `passerelle check --no-public`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurTrust:
    """Whom to trust for our own address beside the system's authorities, the first that is there."""

    option: Path | None = None
    """As asked; its faults are told."""
    cas_ca_file: Path | None = None
    """CAS's authorities, which are often the institution's, and so ours as well; its faults are told there."""
    edge_certificate: Path | None = None
    """What our own edge shows; None outside the bundle."""

    @property
    def file_and_setting(self) -> tuple[Path | None, str]:
        """The file, and what names it."""
        if self.option is None and self.cas_ca_file and fault_of_ca_file(self.cas_ca_file) is None:
            return self.cas_ca_file, CA_SETTING
        return self.option, _CA_OPTION


def examine_public(
    issuer: str, our_trust: OurTrust, our_kids: Collection[str], asker: Asker, made_up: MadeUp
) -> list[Finding]:
    """Everything about our public address.

    :param our_kids: of the signing keys in the database
    """
    ca_file, setting = our_trust.file_and_setting
    if ca_file and (reason := fault_of_ca_file(ca_file)):
        found = judge_ca_file("public.ca_file", _CA_OPTION, ca_file, reason, is_needed=None)
        return [found] if found else []
    place = Place(url=issuer, ca_file=ca_file, ca_file_alone=False)
    trust = Trust(whose="this site", setting=setting, now=made_up.now, ca_file=ca_file, is_ours=True)
    discovery = asker.ask(place, f"{issuer}/.well-known/openid-configuration")
    if isinstance(discovery, Trouble) and discovery.kind == "name" and is_loopback(place.host):
        seen = f"Browsers alone know {place.host} as this machine, so it was not asked."
        return [note("public.name", seen, "Good for a demo."), *_left_out("our public address was not asked")]
    if isinstance(discovery, Trouble):
        chain = asker.certificates(place) if discovery.kind == "certificate" else []
        edge = our_trust.edge_certificate
        if edge and chain and chain[0] in certificates_in(edge):
            place = replace(place, ca_file=edge)
            discovery = asker.ask(place, f"{issuer}/.well-known/openid-configuration")
            if isinstance(discovery, Answer):
                own = judge_own_certificate("public.certificate", place.host, chain[0])
                return [own, *_served(place, discovery, our_kids, asker, made_up)]
        server = Server(about="public", name="This site", setting="PASSERELLE_ISSUER", remedy=_REMEDY)
        trouble = judge_trouble(server, place, discovery, chain, trust)
        return [replace(trouble, to_cas=None), *_left_out("our public address did not answer")]
    return [*_certificate(place, discovery, trust), *_served(place, discovery, our_kids, asker, made_up)]


def _left_out(because: str) -> list[Finding]:
    return [left_out("logout.reach", "Whether single logout can reach us", because)]


def _certificate(place: Place, discovery: Answer, trust: Trust) -> list[Finding]:
    if place.scheme == "https":
        judged = judge_trusted("public.certificate", place.host, discovery.certificate, trust)
        return [replace(judged, to_cas=None)]
    seen = f"{place.url} is plain http on this machine: good for a trial, and reached by nobody else."
    return [note("public.certificate", seen)]


def _served(place: Place, discovery: Answer, our_kids: Collection[str], asker: Asker, made_up: MadeUp) -> list[Finding]:
    issuer, served = place.url, issuer_of(discovery)
    other_program = judge_program("public.program", issuer, discovery)
    if other_program is not None or served is None:
        return [*([other_program] if other_program else []), *_left_out("the bridge was not found there")]
    judged = judge_issuer("public.issuer", issuer, served)
    if judged.level == "FAULT":
        return [judged, *_left_out("another issuer answers there")]
    found = [judged]
    jwks = asker.ask(place, f"{issuer}/.well-known/jwks.json")
    found.append(judge_identity("public.bridge", discovery, jwks, our_kids))
    if not is_loopback(place.host):  # this machine itself may read them
        found.append(judge_metrics("public.metrics", asker.ask(place, f"{issuer}/metrics")))
    if place.scheme == "https":
        found.append(judge_hsts("public.hsts", discovery))
        if place.port == 443:
            plain = Place(url=f"http://{place.host}{urlsplit(issuer).path}/")
            found.append(judge_plain_http("public.http", issuer, asker.ask(plain)))
    url = single_logout_url(issuer)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = logout_form(made_up.ticket, made_up.instant)
    answer = asker.ask(place, url, body=form.encode(), headers=headers)
    carried = asker.ask(place, f"{url}?{logout_query(made_up.ticket, made_up.instant)}")
    return [*found, judge_query("public.query", carried, url), judge_logout("logout.reach", answer, url)]
