"""idpyoidc as a relying party, with back-channel logout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.clients.application import Application
from tests.clients.flask_applications import flask_application
from tests.clients.person import Person
from tests.clients.site import Site

LOGOUT_SECONDS_MAX = 5


@pytest.fixture(scope="module")
def application(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    source = Path(__file__).with_name("idpyoidc_flask") / "app.py"
    folder = tmp_path_factory.mktemp("idpyoidc")
    with flask_application(site, folder, source, callback="/callback", backchannel="/backchannel-logout") as it:
        yield it


def sign_in(application: Application, person: Person) -> requests.Response:
    """Sign in and consent, because idpyoidc sends prompt=consent for offline_access."""
    page = person.sign_in(f"{application.url}/login")
    return person.submit(page, button="allow")


def wait_until_signed_out(application: Application, person: Person) -> None:
    """Wait for the back-channel logout."""
    give_up = time.monotonic() + LOGOUT_SECONDS_MAX
    while person.get(f"{application.url}/").json() != {"user": None}:
        assert time.monotonic() < give_up, application.log
        time.sleep(0.05)


def test_idpyoidc_application_signs_in(application: Application, person: Person, site: Site) -> None:
    shown = sign_in(application, person).json()

    user = site.cas.user
    assert shown["id_token"]["sub"] == shown["userinfo"]["sub"] == user.name
    assert shown["userinfo"]["email"] == user.attributes["mail"][0]
    assert shown["userinfo"]["groups"] == list(user.attributes["memberOf"])


def test_idpyoidc_refreshes_tokens(application: Application, person: Person) -> None:
    before = sign_in(application, person).json()
    after = person.get(f"{application.url}/refresh").json()

    assert after == {"userinfo": before["userinfo"], "new_access_token": True, "new_refresh_token": True}


def test_idpyoidc_signs_out_at_bridge_and_cas(application: Application, person: Person) -> None:
    sign_in(application, person)
    page = person.get(f"{application.url}/logout")

    assert page.url.startswith(f"{application.url}/")
    wait_until_signed_out(application, person)
    assert person.is_at_cas(person.get(f"{application.url}/login"))


def test_idpyoidc_accepts_backchannel_logout(application: Application, person: Person, site: Site) -> None:
    sign_in(application, person)
    assert person.get(f"{application.url}/").json() == {"user": person.name}
    person.submit(person.get(f"{site.issuer}/logout"))

    wait_until_signed_out(application, person)


def test_idpyoidc_rejects_forged_logout_token(application: Application, person: Person, site: Site) -> None:
    shown = sign_in(application, person)
    assert shown.status_code == 200
    response = requests.post(
        f"{application.url}/backchannel-logout",
        {"logout_token": "eyJhbGciOiJub25lIn0.e30."},
        verify=str(site.ca_file),
        timeout=10,
    )

    assert response.status_code == 400
    assert person.get(f"{application.url}/").json() == {"user": person.name}
