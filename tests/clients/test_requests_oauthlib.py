"""requests-oauthlib in a small web application, over https as the library requires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.application import Application
from tests.clients.flask_applications import flask_application
from tests.clients.person import Person
from tests.clients.site import Site


@pytest.fixture(scope="module")
def application(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    source = Path(__file__).with_name("requests_oauthlib") / "app.py"
    with flask_application(site, tmp_path_factory.mktemp("oauthlib"), source, callback="/callback") as it:
        yield it


def test_requests_oauthlib_signs_in(application: Application, person: Person, site: Site) -> None:
    shown = person.sign_in(f"{application.url}/login").json()

    user = site.cas.user
    assert (shown["sub"], shown["email"]) == (user.name, user.attributes["mail"][0])
    assert shown["groups"] == list(user.attributes["memberOf"])


def test_requests_oauthlib_refreshes_tokens(application: Application, person: Person) -> None:
    before = person.sign_in(f"{application.url}/login").json()
    after = person.get(f"{application.url}/refresh").json()

    assert after == {"userinfo": before, "new_access_token": True, "new_refresh_token": True}
    assert person.passwords_typed == 1


def test_requests_oauthlib_signs_out_at_bridge_and_cas(application: Application, person: Person) -> None:
    person.sign_in(f"{application.url}/login")
    page = person.get(f"{application.url}/logout")

    assert (page.url, page.json()) == (f"{application.url}/", {"user": None})
    assert person.is_at_cas(person.get(f"{application.url}/login"))
