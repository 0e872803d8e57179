"""Authlib: its Flask integration, its session for programs, and both recipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.application import Application
from tests.clients.flask_applications import flask_application, flask_recipe
from tests.clients.person import Person
from tests.clients.site import Site
from tests.support.bridge.live_bridge import clean_environment

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def application(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder, source = tmp_path_factory.mktemp("authlib"), HERE / "authlib_flask" / "app.py"
    soon = "60"  # Authlib refreshes tokens in their last minute
    with flask_application(
        site, folder, source, callback="/callback", after_logout="/signed-out", access_token_lifetime=soon
    ) as application:
        yield application


@pytest.fixture(scope="module")
def by_recipe(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with flask_recipe(site, tmp_path_factory.mktemp("by-recipe"), "flask-authlib") as application:
        yield application


class Program:
    """A running program that reads commands and prints results, one per line."""

    def __init__(self, site: Site) -> None:
        client = site.add_client(
            "A program",
            "--public",
            "--redirect-uri=http://127.0.0.1/callback",  # any port is allowed
            "--scope=openid profile email groups offline_access",
            "--grant-type=authorization_code",
            "--grant-type=refresh_token",
        )
        site.wait_until_known()
        self.process = subprocess.Popen(
            [sys.executable, HERE / "authlib_program" / "program.py"],
            env=clean_environment() | site.trust | {"ISSUER": site.issuer, "CLIENT_ID": client.client_id},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, line: str = "") -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if line:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@pytest.fixture
def program(site: Site) -> Iterator[Program]:
    program = Program(site)
    yield program
    program.process.kill()
    program.process.communicate()


def test_authlib_flask_application_signs_in(application: Application, person: Person, site: Site) -> None:
    shown = person.sign_in(f"{application.url}/login").json()

    user = site.cas.user
    assert shown["id_token"]["sub"] == shown["userinfo"]["sub"] == user.name
    assert shown["userinfo"]["email"] == user.attributes["mail"][0]
    assert shown["userinfo"]["groups"] == list(user.attributes["memberOf"])


def test_authlib_refreshes_access_token(application: Application, person: Person, site: Site) -> None:
    before = person.sign_in(f"{application.url}/login").json()
    after = person.get(f"{application.url}/me").json()

    assert after["refreshed"] > before["refreshed"]
    assert after["userinfo"] == before["userinfo"]
    assert person.passwords_typed == 1


def test_authlib_signs_out_at_bridge_and_cas(application: Application, person: Person) -> None:
    person.sign_in(f"{application.url}/login")
    page = person.get(f"{application.url}/logout")

    assert page.url.startswith(f"{application.url}/signed-out?state=")
    assert page.text == "You are signed out."
    assert person.is_at_cas(person.get(f"{application.url}/login"))


def test_authlib_program_signs_in_refreshes_and_revokes(program: Program, person: Person, site: Site) -> None:
    page = person.submit(person.sign_in(program.send()["open"]), button="allow")
    assert page.text == "You can close this window."
    userinfo = program.send()["userinfo"]
    assert userinfo["groups"] == list(site.cas.user.attributes["memberOf"])

    refreshed = program.send("refresh")
    assert refreshed == {"userinfo": userinfo, "new_access_token": True, "new_refresh_token": True}
    assert program.send("sign out") == {"status": 401}


def test_authlib_recipe_signs_in_and_out(by_recipe: Application, person: Person, site: Site) -> None:
    page = person.sign_in(f"{by_recipe.url}/login")
    assert page.url == f"{by_recipe.url}/"
    email = site.cas.user.attributes["mail"][0]
    assert page.json() == {"name": person.name, "email": email, "is_staff": True}

    page = person.get(f"{by_recipe.url}/logout")
    assert (page.url, "Sign in" in page.text) == (f"{by_recipe.url}/", True)
    page = person.get(f"{by_recipe.url}/logout")  # a second time, without a session
    assert (page.url, "Sign in" in page.text) == (f"{by_recipe.url}/", True), page.text
    assert person.is_at_cas(person.get(f"{by_recipe.url}/login"))


def test_command_line_recipe_prints_the_user(person: Person, site: Site, tmp_path: Path) -> None:
    client = site.add_client("whoami", "--recipe=command-line")
    program = tmp_path / "whoami.py"
    program.write_text(client.configuration["whoami.py"], encoding="utf-8")
    site.wait_until_known()
    with subprocess.Popen(
        [sys.executable, "-u", program],
        # A text browser runs in the terminal until the user quits it.
        env=clean_environment() | site.trust | {"BROWSER": "sh -c 'exec cat > /dev/null' %s"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        word, address = running.stdout.readline().split()
        assert word == "Opening"
        page = person.submit(person.sign_in(address), button="allow")
        assert "You can close this window" in page.text
        running.stdin.close()
        shown = json.loads(running.stdout.read())
    assert shown["sub"] == person.name
    assert shown["groups"] == list(site.cas.user.attributes["memberOf"])
