"""social-auth-core in a real Django site (social-auth-app-django)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    offline = (
        "--scope=openid profile email groups offline_access",
        "--grant-type=authorization_code",
        "--grant-type=refresh_token",
    )
    with django_site(
        site, tmp_path_factory.mktemp("social"), "django_social", callback="/complete/oidc/", options=offline
    ) as it:
        yield it


def presses_sign_in(django: DjangoSite, person: Person) -> requests.Response:
    """Where that leads; the library wants a form, against requests that other sites would begin."""
    return person.submits(person.opens(f"{django.url}/"))


def signs_in(django: DjangoSite, person: Person) -> requests.Response:
    return person.types_password(presses_sign_in(django, person))


def test_a_site_with_social_auth_knows_its_user_and_puts_them_into_its_own_groups(
    django: DjangoSite, person: Person, site: Site
) -> None:
    page = signs_in(django, person)

    user = site.cas.user
    assert page.url == f"{django.url}/me"
    assert page.json() == {"user": user.name, "email": user.attributes["mail"][0], "groups": ["editors", "staff"]}


def test_social_auth_gets_new_tokens_for_a_refresh_token(django: DjangoSite, person: Person) -> None:
    signs_in(django, person)
    after = person.opens(f"{django.url}/refresh").json()

    assert after == {"user": person.name, "new_access_token": True, "new_refresh_token": True}


def test_a_site_with_social_auth_signs_out_here_and_at_cas(django: DjangoSite, person: Person) -> None:
    signs_in(django, person)

    assert django.signs_out(person) == f"{django.url}/"
    assert person.is_at_cas(presses_sign_in(django, person))
