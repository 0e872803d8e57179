"""oauthenticator in a real JupyterHub, with the recipe."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clients.application import Application
from tests.clients.person import Person
from tests.clients.site import Credentials, Site

BASE_CONFIG = Path(__file__).with_name("jupyterhub") / "base_config.py"
TOKEN = secrets.token_hex(32)


class Hub(Application):
    """A running hub with a client for its API."""

    client: Credentials

    def user(self, name: str) -> dict[str, Any]:
        response = requests.get(
            f"{self.url}/hub/api/users/{name}", headers={"Authorization": f"token {TOKEN}"}, timeout=10
        )
        assert response.ok, response.text
        return dict(response.json())


@pytest.fixture(scope="module")
def hub(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("jupyterhub"))
    hub.client = site.add_client("Hub", "--recipe=jupyterhub", f"--url={hub.url}")
    pasted = hub.client.configuration["jupyterhub_config.py"]
    config = hub.folder / "jupyterhub_config.py"
    config.write_text(f"{BASE_CONFIG.read_text(encoding='utf-8')}\n{pasted}\n", encoding="utf-8")
    environment = site.trust | {
        "HUB_PORT": str(hub.port),
        "HUB_TEST_TOKEN": TOKEN,
        "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32),
    }
    with hub.configure_python("-m", "jupyterhub", f"--config={config}", **environment):
        yield hub


def test_hub_signs_in_with_groups_and_admin_rights(hub: Hub, person: Person, site: Site) -> None:
    page = person.sign_in(f"{hub.url}/hub/oauth_login")

    assert page.url.startswith(f"{hub.url}/hub/home")
    user = hub.user(person.name)
    assert user["admin"] is True
    assert set(user["groups"]) == set(site.cas.user.attributes["memberOf"])
    assert user["auth_state"]["oauth_user"]["email"] == site.cas.user.attributes["mail"][0]


def revoke_access_token(hub: Hub, person: Person, site: Site) -> dict[str, Any]:
    """Revoke the access token, wait for the hub's refresh interval, and return the tokens that the hub holds."""
    held = dict(hub.user(person.name)["auth_state"])
    response = requests.post(
        f"{site.issuer}/revoke",
        {"token": held["access_token"]},
        auth=(hub.client.client_id, str(hub.client.client_secret)),
        verify=str(site.ca_file),
        timeout=10,
    )
    assert response.status_code == 200
    time.sleep(1.1)
    return held


def test_hub_refreshes_invalid_token(hub: Hub, person: Person, site: Site) -> None:
    person.sign_in(f"{hub.url}/hub/oauth_login")
    before = revoke_access_token(hub, person, site)
    page = person.get(f"{hub.url}/hub/home")

    assert (page.url, page.status_code) == (f"{hub.url}/hub/home", 200)
    after = hub.user(person.name)["auth_state"]
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]
    assert person.passwords_typed == 1


def test_hub_tabs_may_refresh_at_once(hub: Hub, person: Person, site: Site) -> None:
    person.sign_in(f"{hub.url}/hub/oauth_login")
    revoke_access_token(hub, person, site)
    with ThreadPoolExecutor(8) as tabs:
        pages = list(tabs.map(person.get, [f"{hub.url}/hub/home"] * 8))

    assert {(page.url, page.status_code) for page in pages} == {(f"{hub.url}/hub/home", 200)}
    time.sleep(1.1)
    assert person.get(f"{hub.url}/hub/home").url == f"{hub.url}/hub/home"
    assert person.passwords_typed == 1


def test_hub_sign_out_passes_bridge_and_cas(hub: Hub, person: Person) -> None:
    person.sign_in(f"{hub.url}/hub/oauth_login")
    page_before = person.get(f"{hub.url}/hub/logout")
    assert "Sign out?" in page_before.text
    page = person.submit(page_before)

    assert page.url.startswith(f"{hub.url}/hub/login")
    assert person.is_at_cas(person.get(f"{hub.url}/hub/oauth_login"))


def test_hub_notices_ended_session(hub: Hub, person: Person, site: Site) -> None:
    person.sign_in(f"{hub.url}/hub/oauth_login")
    person.submit(person.get(f"{site.issuer}/logout"))
    time.sleep(1.1)
    page = person.get(f"{hub.url}/hub/home")

    assert not page.url.startswith(f"{hub.url}/hub/home")
    assert "Requiring fresh login" in hub.log
