"""social-auth-core in a Django site (social-auth-app-django), by the recipe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from bridge.recipes import find_recipe
from tests.clients.django_sites import DjangoSite, django_site
from tests.clients.person import Person
from tests.clients.site import Site

RECIPE = "django-social-auth"
GROUPS = '\nSOCIAL_AUTH_OIDC_GROUPS_MAP = {"staff": ["staff"], "jupyter-admins": ["editors"]}'


@pytest.fixture(scope="module")
def django(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoSite]:
    settings = without_comment_signs(find_recipe(RECIPE).blocks[0].text) + GROUPS
    with django_site(site, tmp_path_factory.mktemp("social"), RECIPE, settings=settings) as it:
        yield it


def without_comment_signs(text: str) -> str:
    """What the recipe leaves to whoever wants it: the lines at the end that are code."""
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    return "\n".join(line for line in lines if line.startswith("from ") or " = " in line)


def signs_in(django: DjangoSite, person: Person) -> requests.Response:
    """The library wants a form, against requests that other sites would begin."""
    return person.submit_password(django.presses_recipes_button(person))


def test_social_auth_signs_in_and_maps_groups(django: DjangoSite, person: Person, site: Site) -> None:
    page = signs_in(django, person)

    user = site.cas.user
    assert page.url == f"{django.url}/"
    known = page.json()
    assert (known["user"], known["email"]) == (user.name, user.attributes["mail"][0])
    assert known["groups"] == ["editors", "staff"]
    assert known["kept"] == list(user.attributes["memberOf"])


def test_social_auth_refreshes_tokens(django: DjangoSite, person: Person) -> None:
    signs_in(django, person)
    after = person.get(f"{django.url}/refresh").json()

    assert after == {"user": person.name, "new_access_token": True, "new_refresh_token": True}


def test_social_auth_signs_out_at_bridge_and_cas(django: DjangoSite, person: Person) -> None:
    signs_in(django, person)
    question = django.presses_recipes_button(person)
    assert "Sign out?" in question.text
    page = person.submits(question)

    assert (page.url, page.json()) == (f"{django.url}/", {"user": None})
    assert person.is_at_cas(django.presses_recipes_button(person))
