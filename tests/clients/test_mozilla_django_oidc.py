"""mozilla-django-oidc in a real Django site, with its middleware that renews sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    with django_site(site, tmp_path_factory.mktemp("mozilla"), "django_mozilla", callback="/oidc/callback/") as it:
        yield it


def test_a_site_with_mozilla_django_oidc_knows_its_user_and_their_groups(
    django: DjangoSite, person: Person, site: Site
) -> None:
    page = person.signs_in(f"{django.url}/me")

    user = site.cas.user
    assert page.url == f"{django.url}/me"
    assert page.json() == {
        "user": user.name,
        "email": user.attributes["mail"][0],
        "groups": sorted(user.attributes["memberOf"]),
    }


def test_the_middleware_of_mozilla_asks_again_without_a_question_to_anybody(
    django: DjangoSite, person: Person, site: Site
) -> None:
    before = person.signs_in(f"{django.url}/me")
    time.sleep(1.1)
    after = person.opens(f"{django.url}/me")

    assert any(f"{site.issuer}/authorize?" in hop.url and "prompt=none" in hop.url for hop in after.history)
    assert (after.url, after.json()) == (before.url, before.json())
    assert person.passwords_typed == 1


def test_a_site_with_mozilla_django_oidc_signs_out_here_and_at_cas(django: DjangoSite, person: Person) -> None:
    person.signs_in(f"{django.url}/me")

    assert django.signs_out(person) == f"{django.url}/"
    assert person.is_at_cas(person.opens(f"{django.url}/me"))


def test_a_site_with_mozilla_django_oidc_notices_that_the_session_ended_at_the_bridge(
    django: DjangoSite, person: Person, site: Site
) -> None:
    person.signs_in(f"{django.url}/me")
    person.submits(person.opens(f"{site.issuer}/logout"))
    time.sleep(1.1)

    assert person.opens(f"{django.url}/me").text.startswith("Nobody is signed in.")
