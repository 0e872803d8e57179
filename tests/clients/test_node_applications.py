"""Applications of the Node world: they sign somebody in, refresh, and sign out, each as its library says."""

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
from tests.clients.at_the_bridge import is_good, sessions
from tests.clients.person import Person
from tests.clients.site import Credentials, Site

NAMES = ("openid_client", "oauth4webapi", "passport", "auth_js")
GRANTS = ("--grant-type=authorization_code", "--grant-type=refresh_token")

pytestmark = pytest.mark.needs("node")


@dataclass
class Running:
    """An application, and who it is at the bridge."""

    url: str
    client: Credentials
    application: Application

    def shows(self, person: Person) -> dict[str, Any]:
        page = person.get(self.url)
        assert page.status_code == 200, f"{page.text}\n{self.application.log}"
        return dict(page.json())


@pytest.fixture(scope="module")
def all_running(
    site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Running]]:
    """By the names of their files."""
    with ExitStack() as stack:
        started = {}
        for name in NAMES:
            application = Application(tmp_path_factory.mktemp(name), path="/")
            url = application.url
            client = site.adds_client(
                name,
                f"--redirect-uri={url}{'auth/callback/passerelle' if name == 'auth_js' else 'callback'}",
                f"--post-logout-redirect-uri={url}",
                *GRANTS,
                "--no-pkce" if name == "passport" else "--pkce",
            )
            settings = {"issuer": site.issuer, **vars(client), "port": application.port, "own_secret": token_hex(32)}
            environment = {**site.trust, "APPLICATION": json.dumps(settings)}
            stack.enter_context(application.runs(["node", node_packages / f"{name}.mjs"], environment))
            started[name] = Running(url, client, application)
        yield started


@pytest.fixture
def running(request: pytest.FixtureRequest, all_running: dict[str, Running]) -> Running:
    """The one that the test names."""
    return all_running[request.param]


def knows_the_user(site: Site, shown: dict[str, Any]) -> None:
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
    first = running.shows(person)
    knows_the_user(site, first)
    assert len(sessions(site) - already) == 1

    answer = person.post(f"{running.url}refresh", {})
    assert answer.status_code == 200, answer.text
    fresh = running.shows(person)
    knows_the_user(site, fresh)
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert is_good(site, running.client, fresh["access_token"])

    page = person.get(f"{running.url}logout")
    assert (page.status_code, page.url) == (401, running.url)
    assert sessions(site) == already
    assert not is_good(site, running.client, fresh["access_token"])
    assert not is_good(site, running.client, fresh["refresh_token"])
    assert person.is_at_cas(person.get(f"{running.url}login"))
    assert person.passwords_typed == 1


@pytest.mark.parametrize("running", ["auth_js"], indirect=True)
def test_auth_js_signs_in_refreshes_and_signs_out(running: Running, site: Site, person: Person) -> None:
    """By the requests that its own pages send."""
    already = sessions(site)
    page = person.submit_password(person.post(f"{running.url}auth/signin/passerelle", form_token(running, person)))
    assert f"{page.url}/" == running.url, f"{page.text}\n{running.application.log}"
    first = running.shows(person)
    knows_the_user(site, first)
    assert len(sessions(site) - already) == 1

    answer = person.post(f"{running.url}auth/session", form_token(running, person))
    assert answer.status_code == 200, answer.text
    fresh = running.shows(person)
    knows_the_user(site, fresh)
    assert "refused" not in fresh
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert is_good(site, running.client, fresh["access_token"])

    leaving = {**form_token(running, person), "callbackUrl": fresh["end"]}
    page = person.post(f"{running.url}auth/signout", leaving)
    assert (page.status_code, page.url) == (401, running.url)
    assert sessions(site) == already
    assert not is_good(site, running.client, fresh["access_token"])
    assert not is_good(site, running.client, fresh["refresh_token"])
    page = person.post(f"{running.url}auth/signin/passerelle", form_token(running, person))
    assert person.is_at_cas(page)
    assert person.passwords_typed == 1


def form_token(running: Running, person: Person) -> dict[str, str]:
    """What proves to Auth.js that a form is its own."""
    return dict(person.get(f"{running.url}auth/csrf").json())


def test_node_rejects_untrusted_certificate(site: Site, node_packages: Path) -> None:
    """Or the tests above would prove nothing."""
    settings = {"issuer": site.issuer, "client_id": "anybody", "client_secret": "anything", "port": 0}
    environment = {"PATH": os.environ["PATH"], "APPLICATION": json.dumps(settings)}
    command = ["node", node_packages / "openid_client.mjs"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "unable to verify the first certificate" in done.stderr
