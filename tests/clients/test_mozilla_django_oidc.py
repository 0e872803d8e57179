"""mozilla-django-oidc in a Django site, with the recipe and its middleware."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    soon = "OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = 1"  # the default is 15 minutes
    folder = tmp_path_factory.mktemp("mozilla")
    hidden = "sys.modules['cas'] = None  # mozilla-django-oidc would import python-cas"
    with django_site(site, folder, "django-mozilla-oidc", settings=f"import sys\n{hidden}\n{soon}") as django:
        yield django


def test_mozilla_django_oidc_signs_in_with_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = person.sign_in(f"{django.url}/oidc/authenticate/")

    user = site.cas.user
    assert page.url == f"{django.url}/"
    assert page.json() == {
        "user": user.name,
        "email": user.attributes["mail"][0],
        "name": "",
        "groups": sorted(user.attributes["memberOf"]),
    }


def test_mozilla_middleware_revalidates_silently(django: DjangoSite, person: Person, site: Site) -> None:
    before = person.sign_in(f"{django.url}/oidc/authenticate/")
    time.sleep(1.1)
    after = person.get(f"{django.url}/")

    assert any(f"{site.issuer}/authorize?" in hop.url and "prompt=none" in hop.url for hop in after.history)
    assert (after.url, after.json()) == (before.url, before.json())
    assert person.passwords_typed == 1


def test_mozilla_django_oidc_signs_out_at_bridge_and_cas(django: DjangoSite, person: Person) -> None:
    person.submit_password(django.press_recipe_button(person))
    page = django.press_recipe_button(person)

    assert (page.url, page.json()) == (f"{django.url}/", {"user": None})
    assert person.is_at_cas(django.press_recipe_button(person))


def test_mozilla_django_oidc_notices_ended_session(django: DjangoSite, person: Person, site: Site) -> None:
    person.sign_in(f"{django.url}/oidc/authenticate/")
    person.submit(person.get(f"{site.issuer}/logout"))
    time.sleep(1.1)

    assert person.get(f"{django.url}/").json() == {"user": None}
