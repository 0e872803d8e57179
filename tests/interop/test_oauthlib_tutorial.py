"""Clients of the predecessor work unchanged: a hub configured in 2018, and any plain OAuth 2 client.

They do not use OpenID Connect, PKCE or scopes; each is registered with `require_pkce = false`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from oauthlib.oauth2 import WebApplicationClient

from tests.interop import test_jupyterhub
from tests.interop.test_jupyterhub import Hub
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

SECRET = "test"
CALLBACK = "http://localhost:8081/cb"


@pytest.fixture
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        cas.sign_in_as("alice", ALICE)
        yield cas


@pytest.fixture
def bridge(cas: ScriptedCas, tmp_path: Path) -> Iterator[LiveBridge]:
    client = {"client_id": "0", "client_secret": SECRET, "redirect_uris": [CALLBACK], "require_pkce": False}
    with LiveBridge(tmp_path, cas_url=cas.url, clients=[client]) as bridge:
        yield bridge


@pytest.mark.parametrize("how", ["secret-in-body", "secret-in-header"])
def test_oauthlib_signs_in_and_fetches_username(bridge: LiveBridge, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # allow http, because the bridge is on loopback
    client = WebApplicationClient("0")
    address = client.prepare_request_uri(f"{bridge.url}/login", redirect_uri=CALLBACK, state="the state")
    with requests.Session() as browser:
        to_cas = browser.get(address, allow_redirects=False, timeout=10)
        back = requests.get(to_cas.headers["Location"], allow_redirects=False, timeout=10)
        done = browser.get(back.headers["Location"], allow_redirects=False, timeout=10)
    client.parse_request_uri_response(done.headers["Location"], state="the state")

    in_body = {"client_secret": SECRET} if how == "secret-in-body" else {}
    body = client.prepare_request_body(redirect_uri=CALLBACK, include_client_id=bool(in_body), **in_body)
    answer = requests.post(
        f"{bridge.url}/token",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=None if in_body else ("0", SECRET),
        timeout=10,
    )
    token = client.parse_request_body_response(answer.text)
    assert token["user"] == "alice"

    uri, headers, _ = client.add_token(f"{bridge.url}/userdata")
    assert requests.get(uri, headers=headers, timeout=10).json() == {"username": "alice"}


def test_hub_configured_in_2018_signs_users_in(
    cas: ScriptedCas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_jupyterhub, "CONFIG", Path(__file__).with_name("hub_of_2018.py"))
    hub = Hub(tmp_path, basic_auth=True)
    client = {
        "client_id": "0",
        "client_secret": hub.client_secret,
        "redirect_uris": [f"{hub.url}/oauth_callback"],
        "require_pkce": False,
    }
    with LiveBridge(tmp_path, cas_url=cas.url, clients=[client]) as bridge:
        hub.start(bridge.url)
        try:
            with requests.Session() as browser:
                page = browser.get(f"{hub.url}/oauth_login", timeout=20)
        finally:
            hub.stop()
    asked = [request.path for request in cas.requests]
    assert page.ok, (tmp_path / "hub.log").read_text()
    assert page.url.startswith(f"{hub.url}/home")
    assert "alice" in page.text
    assert asked == ["/cas/login", "/cas/p3/serviceValidate"]
    assert '"event": "token_issued"' in bridge.log
