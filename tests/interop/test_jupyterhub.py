"""Sign-in of the real JupyterHub, with GenericOAuthenticator, at a live bridge."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.bridge.live_bridge import LiveBridge, clean_environment, free_port
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
READY_WITHIN_SECONDS = 40


class Hub:
    """A JupyterHub without a proxy, in a process of its own."""

    def __init__(self, directory: Path, *, basic_auth: bool) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hub"
        self.client_secret = secrets.token_urlsafe(32)
        self.test_token = secrets.token_hex(32)
        self.basic_auth = basic_auth

    def start(self, bridge_url: str) -> None:
        self.log = (self.directory / "hub.log").open("w")
        environment = clean_environment() | {
            "BRIDGE_URL": bridge_url,
            "HUB_PORT": str(self.port),
            "HUB_CLIENT_SECRET": self.client_secret,
            "HUB_TEST_TOKEN": self.test_token,
            "HUB_BASIC_AUTH": str(int(self.basic_auth)),
        }
        command = [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"]
        self.process = subprocess.Popen(command, cwd=self.directory, env=environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            try:
                if requests.get(f"{self.url}/health", timeout=2).ok:
                    return
            except requests.ConnectionError:
                pass
            assert self.process.poll() is None, (self.directory / "hub.log").read_text()
            assert time.monotonic() < deadline, (self.directory / "hub.log").read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def user(self, name: str) -> dict[str, object]:
        headers = {"Authorization": f"token {self.test_token}"}
        return requests.get(f"{self.url}/api/users/{name}", headers=headers, timeout=10).json()


@pytest.fixture(scope="module", params=[False, True], ids=["secret-in-body", "secret-in-header"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hub, ScriptedCas]]:
    directory = tmp_path_factory.mktemp("interop")
    hub = Hub(directory, basic_auth=request.param)
    client = {
        "client_id": "hub",
        "client_secret": hub.client_secret,
        "redirect_uris": [f"{hub.url}/oauth_callback"],
    }
    with ScriptedCas() as cas, LiveBridge(directory, cas_url=cas.url, clients=[client]) as bridge:
        hub.start(bridge.url)
        yield hub, cas
        hub.stop()


def test_cas_user_gets_hub_groups_and_rights(place: tuple[Hub, ScriptedCas]) -> None:
    hub, cas = place
    cas.sign_in_as("alice", ALICE)

    with requests.Session() as browser:
        page = browser.get(f"{hub.url}/oauth_login", timeout=20)

    assert page.ok
    assert page.url.startswith(hub.url)
    user = hub.user("alice")
    assert user["admin"] is True
    assert set(user["groups"]) == {"staff", "jupyter-admins"}  # type: ignore[call-overload]


def test_user_without_allowed_group_is_denied(place: tuple[Hub, ScriptedCas]) -> None:
    hub, cas = place
    cas.sign_in_as("mallory", {"groups": ["students"]})

    with requests.Session() as browser:
        page = browser.get(f"{hub.url}/oauth_login", timeout=20)

    assert page.status_code == 403
    assert hub.user("mallory").get("status") == 404
