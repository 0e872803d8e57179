"""Complete logins through a real CAS server, up to tokens and claims."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.cas.apereo_cas import ENTITLEMENTS
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import RealCas
from tests.upstream.site import SCOPE, Site, site_at


def test_login_with_password_identifies_the_user(site: Site) -> None:
    person, began = site.person(), time.time()
    tokens = site.sign_in(person)

    assert person.at_cas.password_prompts == 1
    user = site.cas.user
    claims = tokens.userinfo
    assert claims["sub"] == claims["preferred_username"] == user.name
    assert (claims["email"],) == user.attributes["mail"]
    assert (claims["name"],) == user.attributes["displayName"]
    if auth_time := tokens.id_claims.get("auth_time"):
        assert began - 1 <= auth_time <= time.time() + 1
    assert ("auth_time" in tokens.id_claims) is site.cas.reports_auth_time


def test_multi_valued_attribute_keeps_its_order_cas12(site: Site) -> None:
    groups = site.sign_in(site.person()).userinfo["groups"]
    assert groups == list(site.cas.user.attributes["memberOf"])


def test_group_with_similar_name_gives_no_access_cas13(site: Site) -> None:
    person = site.person()
    refused = person.sign_in(site.app(person, "admins").authorization_url(scope=SCOPE))
    assert "administration-student" in site.cas.user.attributes["memberOf"]
    assert (refused.status, refused.is_page) == (403, True)
    assert "does not have access to" in refused.text


def test_cas_session_skips_password_and_keeps_auth_time(site: Site) -> None:
    person = site.person()
    first = site.sign_in(person)
    person.cookies.clear()
    time.sleep(1.1)
    second = site.sign_in(person)

    assert person.at_cas.password_prompts == 1
    assert second.id_claims["sid"] != first.id_claims["sid"]
    assert second.id_claims.get("auth_time") == first.id_claims.get("auth_time")


def test_wrong_password_returns_to_the_form(site: Site) -> None:
    person = site.person()
    login_url = person.get(site.app(person).authorization_url()).location
    form = person.at_cas.get(login_url)
    again = person.at_cas.submit_password(login_url, form, password="a guess")
    assert "Location" not in again.headers
    assert again.status_code in (200, 401)


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("cas", [pytest.param("apereo", marks=pytest.mark.needs("apereo"))], indirect=True)
def test_encoded_attribute_name_is_read_cas14(cas: RealCas, folder: Path, form: str) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_FORMAT=form) as site:
        claims = site.sign_in(site.person()).userinfo
        assert claims["eduperson_entitlement"] == list(ENTITLEMENTS)


def test_login_without_tls(folder: Path) -> None:
    with DjangoCas(folder, tls=False) as cas, site_at(folder, cas) as site:
        assert cas.url.startswith("http:")
        assert site.sign_in(site.person()).are_active()
