"""django-allauth in a Django site, with its OpenID Connect provider, by the recipe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    with django_site(site, tmp_path_factory.mktemp("allauth"), "django-allauth") as it:
        yield it


def begins(django: DjangoSite, person: Person) -> requests.Response:
    """allauth asks before it sends anybody away."""
    return person.submits(person.get(f"{django.url}/accounts/oidc/cas/login/"))


def test_allauth_signs_in_with_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = person.submit_password(begins(django, person))

    user = site.cas.user
    assert page.url == f"{django.url}/"
    known = page.json()
    assert (known["user"], known["email"]) == (user.name, user.attributes["mail"][0])
    assert known["kept"] == list(user.attributes["memberOf"])


def test_allauth_recognizes_returning_user(django: DjangoSite, person: Person, site: Site) -> None:
    first = person.submit_password(begins(django, person)).json()
    other = site.person()
    assert other.submit_password(begins(django, other)).json() == first


def test_allauth_has_no_local_sign_up(django: DjangoSite, person: Person) -> None:
    assert person.get(f"{django.url}/accounts/signup/").status_code == 404
    page = person.get(f"{django.url}/accounts/login/")
    assert "password" not in page.text.lower()
    assert "/accounts/oidc/cas/login/" in page.text


def test_allauth_signs_out_at_bridge_and_cas(django: DjangoSite, person: Person) -> None:
    person.submit_password(begins(django, person))
    question = django.presses(person, "accounts/logout/")
    assert "Sign out?" in question.text
    page = person.submits(question)

    assert (page.url, page.json()) == (f"{django.url}/", {"user": None})
    assert person.is_at_cas(begins(django, person))
