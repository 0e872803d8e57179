"""Tickets of a real CAS server: used ones, those of other users and of other services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from bridge.cas.client import CasClient
from bridge.cas.endpoints import CasEndpoints
from bridge.errors import TicketRejected, UpstreamError
from tests.support.bridge.certificate_authority import CertificateAuthority
from tests.support.cas.real_cas import Person, RealCas
from tests.upstream.site import REDIRECT_URI, TWO_SERVERS, Site, site_at


@pytest.fixture
def client(site: Site) -> Iterator[CasClient]:
    """Return the CAS client of the bridge."""
    endpoints = CasEndpoints.from_base_url(site.cas.url, protocol=site.cas.protocols[0])
    client = CasClient(endpoints, ca_file=str(site.cas.ca_file))
    yield client
    client.close()


def ticket_for(site: Site, person: Person, service: str) -> str:
    """Return a ticket from CAS, without the bridge."""
    callback = person.at_cas.sign_in(f"{site.cas.url}/login?service={quote(service, safe='')}")
    (ticket,) = parse_qs(urlsplit(callback).query)["ticket"]
    return ticket


def test_ticket_is_single_use(site: Site, client: CasClient) -> None:
    service = f"{site.bridge.url}/cas/callback?state=once"
    ticket = ticket_for(site, site.person(), service)
    assert client.validate(service, ticket).user == site.cas.user.name
    with pytest.raises(TicketRejected):
        client.validate(service, ticket)


def test_ticket_for_another_service_is_rejected(site: Site, client: CasClient) -> None:
    service = f"{site.bridge.url}/cas/callback?state=one"
    ticket = ticket_for(site, site.person(), service)
    other = "/cas/callback?state=other" if site.cas.compares_query else "/logout/done"
    with pytest.raises(UpstreamError):  # Jasig CAS 3 accepts it by SAML; then the audience differs
        client.validate(f"{site.bridge.url}{other}", ticket)
    if site.cas.spends_tickets_of_other_services:
        with pytest.raises(TicketRejected):
            client.validate(service, ticket)
    else:
        assert client.validate(service, ticket).user == site.cas.user.name


def test_unknown_ticket_is_rejected(site: Site, client: CasClient) -> None:
    with pytest.raises(TicketRejected):
        client.validate(f"{site.bridge.url}/cas/callback?state=x", "ST-1-nobody.gave_this-out")


def test_callback_in_another_browser_uses_no_ticket_cas21(site: Site) -> None:
    victim, other = site.person(), site.person()
    app = site.app(victim)
    callback = victim.log_in_at_cas(victim.get(app.authorization_url()))

    assert other.get(callback).status == 400
    assert app.extract_code(victim.get(callback))


def test_repeated_callback_continues_only_with_session_cas22(site: Site) -> None:
    person = site.person()
    app = site.app(person)
    callback = person.log_in_at_cas(person.get(app.authorization_url()))
    app.extract_code(person.get(callback))

    again = person.get(callback)
    assert again.location.startswith(f"{site.bridge.url}/authorize?")
    assert app.extract_code(person.get(again.location))
    assert site.person().get(callback).status == 400


def test_four_parallel_callbacks_give_one_code_cas22(site: Site) -> None:
    person = site.person()
    callback = person.log_in_at_cas(person.get(site.app(person).authorization_url()))
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in person.cookies.items())}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: person.wire.send("GET", callback, headers=cookies), range(4)))

    ends = Counter(
        "code" if answer.headers.get("Location", "").startswith(f"{REDIRECT_URI}?code=") else answer.status
        for answer in answers
    )
    assert ends == {"code": 1, 400: 3}


def test_unregistered_service_gets_no_ticket(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, is_registered=False) as unregistered:
        unregistered.assert_no_ticket(unregistered.person())


@TWO_SERVERS
def test_server_of_other_authority_is_rejected_cas11(cas: RealCas, folder: Path) -> None:
    other = CertificateAuthority(folder, "Other authority")
    with site_at(folder, cas, PASSERELLE_CAS_CA_FILE=str(other.ca_file)) as site:
        person = site.person()
        answer = person.sign_in(site.app(person).authorization_url())
        assert answer.status == 502
        assert answer.is_page
    assert "is not trusted" in site.bridge.log
