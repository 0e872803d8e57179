"""django-allauth in a Django site, with the recipe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    with django_site(site, tmp_path_factory.mktemp("allauth"), "django-allauth") as django:
        yield django


def begin_sign_in(django: DjangoSite, person: Person) -> requests.Response:
    """Confirm allauth's page before the redirect to the bridge."""
    return person.submit(person.get(f"{django.url}/accounts/oidc/cas/login/"))


def test_allauth_signs_in_with_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = person.submit_password(begin_sign_in(django, person))

    user = site.cas.user
    assert page.url == f"{django.url}/"
    known = page.json()
    assert (known["user"], known["email"]) == (user.name, user.attributes["mail"][0])
    assert known["stored_groups"] == list(user.attributes["memberOf"])


def test_allauth_recognizes_returning_user(django: DjangoSite, person: Person, site: Site) -> None:
    first = person.submit_password(begin_sign_in(django, person)).json()
    other = site.person()
    assert other.submit_password(begin_sign_in(django, other)).json() == first


def test_allauth_has_no_local_sign_up(django: DjangoSite, person: Person) -> None:
    assert person.get(f"{django.url}/accounts/signup/").status_code == 404
    page = person.get(f"{django.url}/accounts/login/")
    assert "password" not in page.text.lower()
    assert "/accounts/oidc/cas/login/" in page.text


def test_allauth_signs_out_at_bridge_and_cas(django: DjangoSite, person: Person) -> None:
    person.submit_password(begin_sign_in(django, person))
    page_before = django.press(person, "accounts/logout/")
    assert "Sign out?" in page_before.text
    page = person.submit(page_before)

    assert (page.url, page.json()) == (f"{django.url}/", {"user": None})
    assert person.is_at_cas(begin_sign_in(django, person))
