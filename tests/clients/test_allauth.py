"""django-allauth in a real Django site, with its OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    with django_site(
        site,
        tmp_path_factory.mktemp("allauth"),
        "django_allauth",
        callback="/accounts/oidc/campus/login/callback/",
    ) as it:
        yield it


def signs_in(django: DjangoSite, person: Person) -> requests.Response:
    """allauth asks before it sends anybody away."""
    question = person.opens(f"{django.url}/accounts/oidc/campus/login/")
    return person.types_password(person.submits(question))


def test_a_site_with_allauth_knows_its_user_and_their_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = signs_in(django, person)

    user = site.cas.user
    assert page.url == f"{django.url}/me"
    assert page.json() == {
        "user": user.name,
        "email": user.attributes["mail"][0],
        "groups": sorted(user.attributes["memberOf"]),
    }


def test_a_user_of_allauth_who_comes_back_is_the_same_user(django: DjangoSite, person: Person, site: Site) -> None:
    first = signs_in(django, person).json()
    assert signs_in(django, site.person()).json() == first


def test_a_site_with_allauth_signs_out_here_and_at_cas(django: DjangoSite, person: Person) -> None:
    signs_in(django, person)
    question = person.submits(person.opens(f"{django.url}/"))
    assert "Sign out?" in question.text
    back = person.submits(question)

    assert back.url == f"{django.url}/"
    assert back.text.startswith("Nobody is signed in.")
    again = person.opens(f"{django.url}/accounts/oidc/campus/login/")
    assert person.is_at_cas(person.submits(again))
