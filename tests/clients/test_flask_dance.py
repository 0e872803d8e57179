"""Flask-Dance with the recipe, over https as the library requires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.application import Application
from tests.clients.flask_applications import flask_recipe
from tests.clients.person import Person
from tests.clients.site import Site

EXTRA_PAGES = Path(__file__).with_name("flask_dance") / "extra_pages.py"


@pytest.fixture(scope="module")
def application(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with flask_recipe(site, tmp_path_factory.mktemp("dance"), "flask-dance", EXTRA_PAGES) as it:
        yield it


def test_flask_dance_signs_in(application: Application, person: Person, site: Site) -> None:
    page = person.sign_in(f"{application.url}/login/cas")

    user, shown = site.cas.user, page.json()
    assert page.url == f"{application.url}/"
    assert (shown["sub"], shown["email"]) == (user.name, user.attributes["mail"][0])
    assert shown["groups"] == list(user.attributes["memberOf"])


def test_flask_dance_refreshes_expired_token(application: Application, person: Person) -> None:
    shown = person.sign_in(f"{application.url}/login/cas").json()
    before = person.get(f"{application.url}/an-hour-later").json()
    assert before["expires_in"] < 0
    assert person.get(f"{application.url}/").json() == shown

    after = person.get(f"{application.url}/tokens").json()
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]
    assert after["expires_in"] > 0


@pytest.mark.parametrize("page", ["tokens", "an-hour-later"])
def test_flask_dance_signs_in_again_after_session_end(
    application: Application, person: Person, site: Site, page: str
) -> None:
    person.sign_in(f"{application.url}/login/cas")
    person.submit(person.get(f"{site.issuer}/logout"))
    assert person.get(f"{application.url}/{page}").ok

    assert person.is_at_cas(person.get(f"{application.url}/"))


def test_flask_dance_signs_out_at_bridge_and_cas(application: Application, person: Person) -> None:
    person.sign_in(f"{application.url}/login/cas")
    page_before = person.get(f"{application.url}/logout")
    assert "Sign out?" in page_before.text

    page = person.submit(page_before)
    assert (page.url, "Sign in" in page.text) == (f"{application.url}/", True)
    assert person.is_at_cas(person.get(f"{application.url}/login/cas"))
