"""Tests of the legacy routes: the same responses and checks as the usual endpoints."""

from __future__ import annotations

import base64
import json

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import CLIENTS, HUB_SECRET, Running
from tests.support.bridge.actors import App, Browser


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    """Return a bridge with a client of the predecessor, and one without the scope profile."""
    former = {"client_id": "0", "client_secret": "test", "redirect_uris": ["https://hub.example.org/cb"]}
    quiet = {"client_id": "quiet", "client_secret": "hush", "redirect_uris": ["https://quiet.example.org/cb"]}
    return make_bridge(
        clients=json.dumps(
            [*CLIENTS, former | {"require_pkce": False}, quiet | {"require_pkce": False, "scopes": ["openid"]}]
        )
    )


@pytest.fixture
def former(bridge: Running) -> App:
    return App(bridge.wire, "0", secret="test", redirect_uri="https://hub.example.org/cb")


AS_THEN = {"scope": None, "nonce": None, "code_challenge": None, "code_challenge_method": None}


def legacy_url(app: App, **changes: str | None) -> str:
    """Return the authorization URL at the legacy route."""
    return app.authorization_url(**changes).replace("/authorize?", "/login?")


def redeem(app: App, code: str) -> dict[str, object]:
    """Redeem with client_secret_basic and without PKCE."""
    basic = f"{app.client_id}:{app.secret}"
    return app.redeem(code, client_id=None, client_secret=None, code_verifier=None, basic=basic).json


@pytest.mark.parametrize("without", [{}, {"redirect_uri": None}], ids=["as-the-hub-legacy_url", "without-redirect-uri"])
def test_legacy_request_without_pkce_returns_username(
    bridge: Running, browser: Browser, former: App, without: dict[str, None]
) -> None:
    answer = browser.sign_in(legacy_url(former, **AS_THEN, **without))
    tokens = redeem(former, former.extract_code(answer))
    assert tokens["token_type"] == "Bearer"
    assert tokens["user"] == "alice"
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert bridge.wire.send("GET", "/userdata", headers=header).json == {"username": "alice"}


def test_legacy_login_has_the_usual_checks(bridge: Running, browser: Browser, hub: App) -> None:
    assert browser.get(legacy_url(hub, redirect_uri="https://evil.example/")).is_page
    assert browser.get(legacy_url(hub, **AS_THEN)).parameters["error"] == "invalid_request", "this client requires PKCE"
    assert bridge.wire.send("GET", "/login").status == 400


def test_token_response_has_no_username_for_other_clients(browser: Browser, hub: App) -> None:
    assert "user" not in hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json


def test_username_requires_profile_scope(bridge: Running, browser: Browser) -> None:
    quiet = App(bridge.wire, "quiet", secret="hush", redirect_uri="https://quiet.example.org/cb")
    tokens = redeem(quiet, quiet.extract_code(browser.sign_in(legacy_url(quiet, **AS_THEN))))
    assert "user" not in tokens
    answer = bridge.wire.send("GET", "/userdata", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_userdata_rejects_tokens_like_userinfo(bridge: Running) -> None:
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {base64.b64encode(b'a:b').decode()}"}):
        ours, usual = (bridge.wire.send("GET", path, headers=header) for path in ("/userdata", "/userinfo"))
        assert ours.status == usual.status == 401
        assert ours.headers["WWW-Authenticate"] == usual.headers["WWW-Authenticate"]


def test_legacy_routes_are_below_the_issuer_path(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="https://www.example.org/oauth2")
    hub, browser = App(bridge.wire, secret=HUB_SECRET), Browser(bridge.wire)
    token = hub.redeem(hub.extract_code(browser.sign_in(legacy_url(hub)))).json["access_token"]
    answer = bridge.wire.send("GET", "/oauth2/userdata", headers={"Authorization": f"Bearer {token}"})
    assert answer.json == {"username": "alice"}
