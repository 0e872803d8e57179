"""Authlib as an application's developer meets it: its Flask integration, and its session for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Site

SOURCE = Path(__file__).with_name("authlib_flask") / "app.py"


@pytest.fixture(scope="module")
def application(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    application = Application(tmp_path_factory.mktemp("authlib"))
    client = site.adds_client(
        "Authlib",
        f"--redirect-uri={application.url}/callback",
        f"--post-logout-redirect-uri={application.url}/signed-out",
        "--scope=openid profile email groups offline_access",
        "--grant-type=authorization_code",
        "--grant-type=refresh_token",
        "--access-token-lifetime=60",  # Authlib renews what has no more than a minute left
    )
    with application.runs_python(
        *("-m", "flask", "--app", SOURCE, "run", "--port", str(application.port)),
        **site.trust,
        ISSUER=site.issuer,
        CLIENT_ID=client.client_id,
        CLIENT_SECRET=str(client.client_secret),
    ):
        yield application


def test_a_flask_application_with_authlib_learns_who_signed_in(
    application: Application, person: Person, site: Site
) -> None:
    shown = person.signs_in(f"{application.url}/login").json()

    user = site.cas.user
    assert shown["id_token"]["sub"] == shown["userinfo"]["sub"] == user.name
    assert shown["userinfo"]["email"] == user.attributes["mail"][0]
    assert shown["userinfo"]["groups"] == list(user.attributes["memberOf"])


def test_authlib_renews_an_access_token_by_itself(application: Application, person: Person, site: Site) -> None:
    before = person.signs_in(f"{application.url}/login").json()
    after = person.opens(f"{application.url}/me").json()

    assert after["refreshed"] > before["refreshed"]
    assert after["userinfo"] == before["userinfo"]
    assert person.passwords_typed == 1


def test_authlib_signs_out_here_and_at_cas(application: Application, person: Person) -> None:
    person.signs_in(f"{application.url}/login")
    page = person.opens(f"{application.url}/logout")

    assert page.url.startswith(f"{application.url}/signed-out?state=")
    assert page.text == "You are signed out."
    assert person.is_at_cas(person.opens(f"{application.url}/login"))
