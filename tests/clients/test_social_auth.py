"""social-auth-core in a Django site (social-auth-app-django), with the recipe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from bridge.recipes.model import find_recipe
from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site

RECIPE = "django-social-auth"
GROUPS = '\nSOCIAL_AUTH_OIDC_GROUPS_MAP = {"staff": ["staff"], "jupyter-admins": ["editors"]}'


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    settings = without_comment_signs(find_recipe(RECIPE).blocks[0].text) + GROUPS
    with django_site(site, tmp_path_factory.mktemp("social"), RECIPE, settings=settings) as django:
        yield django


def without_comment_signs(text: str) -> str:
    """Return the commented lines of code at the end of the recipe."""
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    return "\n".join(line for line in lines if line.startswith("from ") or " = " in line)


def sign_in(django: DjangoSite, person: Person) -> requests.Response:
    """Start the sign-in with the recipe's form, and log in."""
    return person.submit_password(django.press_recipe_button(person))


def test_social_auth_signs_in_and_maps_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = sign_in(django, person)

    user = site.cas.user
    assert page.url == f"{django.url}/"
    known = page.json()
    assert (known["user"], known["email"]) == (user.name, user.attributes["mail"][0])
    assert known["groups"] == ["editors", "staff"]
    assert known["stored_groups"] == list(user.attributes["memberOf"])


def test_social_auth_refreshes_tokens(django: DjangoSite, person: Person) -> None:
    sign_in(django, person)
    after = person.get(f"{django.url}/refresh").json()

    assert after == {"user": person.name, "new_access_token": True, "new_refresh_token": True}


def test_social_auth_signs_out_at_bridge_and_cas(django: DjangoSite, person: Person) -> None:
    sign_in(django, person)
    page_before = django.press_recipe_button(person)
    assert "Sign out?" in page_before.text
    page = person.submit(page_before)

    assert (page.url, page.json()) == (f"{django.url}/", {"user": None})
    assert person.is_at_cas(django.press_recipe_button(person))
