"""Every protocol of a real CAS server, and errors for those it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cas.real_cas import RealCas
from tests.upstream.site import TWO_SERVERS, Site, site_at


def assert_is_known_in_full(site: Site) -> None:
    """Return name, email and groups in order."""
    claims, user = site.sign_in(site.person()).userinfo, site.cas.user
    assert claims["sub"] == user.name
    if site.bridge.environment["PASSERELLE_CAS_PROTOCOL"] not in site.cas.attribute_protocols:
        assert claims["groups"] == []
        return
    assert (claims["email"],) == user.attributes["mail"]
    assert (claims["name"],) == user.attributes["displayName"]
    assert claims["groups"] == list(user.attributes["memberOf"])


def assert_is_refused(site: Site) -> None:
    """Show an error, because the server does not support the protocol."""
    person = site.person()
    answer = person.sign_in(site.app(person).authorization_url())
    assert (answer.status >= 400, answer.is_page) == (True, True)


@TWO_SERVERS
@pytest.mark.parametrize("protocol", ["3.0", "2.0"])
def test_json_releases_all_attributes(cas: RealCas, folder: Path, protocol: str) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_PROTOCOL=protocol, PASSERELLE_CAS_FORMAT="json") as site:
        assert_is_known_in_full(site)


@pytest.mark.parametrize("protocol", ["3.0", "2.0"])
def test_protocols_with_attributes_release_all(cas: RealCas, folder: Path, protocol: str) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_PROTOCOL=protocol) as site:
        if protocol not in cas.protocols:
            assert_is_refused(site)
            return
        assert_is_known_in_full(site)
        reports = cas.reports_auth_time and protocol in cas.attribute_protocols
        assert ("auth_time" in site.sign_in(site.person()).id_claims) is reports


def test_protocol_1_releases_only_the_username(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_PROTOCOL="1.0") as site:
        claims = site.sign_in(site.person()).userinfo
        assert claims["preferred_username"] == cas.user.name
        assert not claims.get("groups")
        assert "email" not in claims


def test_saml_logs_in_where_supported(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_PROTOCOL="saml1.1") as site:
        if "saml1.1" in cas.protocols:
            assert_is_known_in_full(site)
        else:
            assert_is_refused(site)


@TWO_SERVERS
@pytest.mark.parametrize("protocol", ["2.0", "1.0"])
def test_renew_is_enforced_by_older_protocols_cas23(cas: RealCas, folder: Path, protocol: str) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_PROTOCOL=protocol) as site:
        person = site.person()
        site.sign_in(person)
        answer = person.get(site.app(person).authorization_url(prompt="login"))
        for _ in range(2):
            answer = person.get(person.at_cas.sign_in(answer.location.replace("&renew=true", "")))
        assert (answer.status, answer.is_page) == (403, True)
        assert person.at_cas.password_prompts == 1
