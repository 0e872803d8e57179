"""Node applications: sign-in, refresh and sign-out with each library."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.clients.application import Application
from tests.clients.bridge_commands import is_token_active, sessions
from tests.clients.person import Person
from tests.clients.site import Credentials, Site

NAMES = ("openid_client", "oauth4webapi", "passport", "auth_js")
GRANTS = ("--grant-type=authorization_code", "--grant-type=refresh_token")

pytestmark = pytest.mark.needs("node")


@dataclass
class Running:
    """A running application and its client."""

    url: str
    client: Credentials
    application: Application

    def fetch(self, person: Person) -> dict[str, Any]:
        page = person.get(self.url)
        assert page.status_code == 200, f"{page.text}\n{self.application.log}"
        return dict(page.json())


@pytest.fixture(scope="module")
def all_running(
    site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Running]]:
    """All applications, by file name."""
    with ExitStack() as stack:
        started = {}
        for name in NAMES:
            application = Application(tmp_path_factory.mktemp(name), path="/")
            url = application.url
            client = site.add_client(
                name,
                f"--redirect-uri={url}{'auth/callback/passerelle' if name == 'auth_js' else 'callback'}",
                f"--post-logout-redirect-uri={url}",
                *GRANTS,
                "--no-pkce" if name == "passport" else "--pkce",
            )
            settings = {"issuer": site.issuer, **vars(client), "port": application.port, "own_secret": token_hex(32)}
            environment = {**site.trust, "APPLICATION": json.dumps(settings)}
            stack.enter_context(application.configure(["node", node_packages / f"{name}.mjs"], environment))
            started[name] = Running(url, client, application)
        yield started


@pytest.fixture
def running(request: pytest.FixtureRequest, all_running: dict[str, Running]) -> Running:
    """The application that the test names."""
    return all_running[request.param]


def check_user(site: Site, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["claims"]["iss"] == site.issuer
    assert shown["claims"]["sub"] == shown["userinfo"]["sub"] == user.name
    assert shown["userinfo"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["userinfo"]["email"]] == list(user.attributes["mail"])
    assert [shown["userinfo"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("running", NAMES[:3], indirect=True)
def test_node_application_signs_in_refreshes_and_signs_out(running: Running, site: Site, person: Person) -> None:
    already = sessions(site)
    page = person.sign_in(f"{running.url}login")
    assert page.url == running.url, f"{page.text}\n{running.application.log}"
    first = running.fetch(person)
    check_user(site, first)
    assert len(sessions(site) - already) == 1

    response = person.post(f"{running.url}refresh", {})
    assert response.status_code == 200, response.text
    fresh = running.fetch(person)
    check_user(site, fresh)
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert is_token_active(site, running.client, fresh["access_token"])

    page = person.get(f"{running.url}logout")
    assert (page.status_code, page.url) == (401, running.url)
    assert sessions(site) == already
    assert not is_token_active(site, running.client, fresh["access_token"])
    assert not is_token_active(site, running.client, fresh["refresh_token"])
    assert person.is_at_cas(person.get(f"{running.url}login"))
    assert person.passwords_typed == 1


@pytest.mark.parametrize("running", ["auth_js"], indirect=True)
def test_auth_js_signs_in_refreshes_and_signs_out(running: Running, site: Site, person: Person) -> None:
    """Send the requests that the pages of Auth.js send."""
    already = sessions(site)
    page = person.submit_password(person.post(f"{running.url}auth/signin/passerelle", form_token(running, person)))
    assert f"{page.url}/" == running.url, f"{page.text}\n{running.application.log}"
    first = running.fetch(person)
    check_user(site, first)
    assert len(sessions(site) - already) == 1

    response = person.post(f"{running.url}auth/session", form_token(running, person))
    assert response.status_code == 200, response.text
    fresh = running.fetch(person)
    check_user(site, fresh)
    assert "refresh_error" not in fresh
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert is_token_active(site, running.client, fresh["access_token"])

    leaving = {**form_token(running, person), "callbackUrl": fresh["end"]}
    page = person.post(f"{running.url}auth/signout", leaving)
    assert (page.status_code, page.url) == (401, running.url)
    assert sessions(site) == already
    assert not is_token_active(site, running.client, fresh["access_token"])
    assert not is_token_active(site, running.client, fresh["refresh_token"])
    page = person.post(f"{running.url}auth/signin/passerelle", form_token(running, person))
    assert person.is_at_cas(page)
    assert person.passwords_typed == 1


def form_token(running: Running, person: Person) -> dict[str, str]:
    """Return the CSRF token of Auth.js."""
    return dict(person.get(f"{running.url}auth/csrf").json())


def test_node_rejects_untrusted_certificate(site: Site, node_packages: Path) -> None:
    """The other tests rely on certificate verification."""
    settings = {"issuer": site.issuer, "client_id": "any", "client_secret": "anything", "port": 0}
    environment = {"PATH": os.environ["PATH"], "APPLICATION": json.dumps(settings)}
    command = ["node", node_packages / "openid_client.mjs"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "unable to verify the first certificate" in result.stderr
