"""Client credentials, unsupported grants and error descriptions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import CLIENTS, HUB_SECRET, Running
from tests.support.bridge.actors import FORM, App, Browser, Response

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def metadata(bridge: Running) -> dict[str, Any]:
    return bridge.wire.send("GET", "/.well-known/openid-configuration").json


# Metadata


def test_metadata_lists_only_s256_row15(metadata: dict[str, Any]) -> None:
    assert metadata["code_challenge_methods_supported"] == ["S256"]


def test_metadata_announces_iss_parameter_row30(metadata: dict[str, Any]) -> None:
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_device_grant_is_unsupported_row69(bridge: Running, hub: App, metadata: dict[str, Any]) -> None:
    assert "device_authorization_endpoint" not in metadata
    assert DEVICE_CODE not in metadata["grant_types_supported"]
    assert hub.redeem(None, grant_type=DEVICE_CODE, device_code="x").json["error"] == "unsupported_grant_type"
    for path in ("/device_authorization", "/device"):
        for method in ("GET", "POST"):
            assert bridge.wire.send(method, path, headers=FORM, body="client_id=hub").status == 404


# Error descriptions


@pytest.mark.parametrize("odd", ['"', "\\", "é☃", "\x00", "\r\n", "\x7f", '"\\é' * 1000])
def test_error_descriptions_use_allowed_characters_row57(browser: Browser, notes: App, robot: App, odd: str) -> None:
    answers = [
        notes.request_token([("grant_type", odd), ("client_id", "notes"), ("client_secret", notes.secret or "")]).json,
        notes.refresh("x", scope=odd, client_secret=odd).json,
        robot.redeem(
            None, grant_type="client_credentials", scope=f"x{odd}", redirect_uri=None, code_verifier=None
        ).json,
        notes.wire.send("POST", "/userinfo", headers=FORM, body=urlencode({"access_token": f"x{odd}"})).json,
        *(
            browser.get(notes.authorization_url(**{name: f"x{odd}"})).parameters
            for name in ("response_type", "response_mode", "scope", "prompt", "max_age", "claims", "code_challenge")
        ),
    ]
    for answer in answers:
        assert all(" " <= character <= "~" for character in answer["error_description"]), answer
        assert not {'"', "\\"} & set(answer["error_description"])


# Client credentials


def credentials(robot: App, **changes: str | None) -> Response:
    return robot.redeem(
        None, **{"grant_type": "client_credentials", "redirect_uri": None, "code_verifier": None, **changes}
    )


def test_client_credentials_give_own_scopes_only_row74(robot: App) -> None:
    tokens = credentials(robot, scope="jobs:read").json
    assert (tokens["scope"], tokens["expires_in"]) == ("jobs:read", 3600)
    assert not {"id_token", "refresh_token", "user"} & set(tokens)
    assert robot.fetch_userinfo(tokens["access_token"]).json["error"] == "insufficient_scope"


def test_subject_without_user_is_client_row71(robot: App) -> None:
    claims = robot.query_token(credentials(robot).json["access_token"]).json
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("robot", "robot", "jobs:read jobs:write")
    assert "username" not in claims


@pytest.mark.parametrize("scope", ["openid", "jobs:read openid", "jobs:admin", "offline_access", '"\\'])
def test_client_credentials_reject_other_scopes_row52_row53(robot: App, scope: str) -> None:
    answer = credentials(robot, scope=scope)
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


def test_unregistered_grant_type_is_rejected_row8(hub: App, robot: App, browser: Browser) -> None:
    assert credentials(hub).json["error"] == "unauthorized_client"
    assert robot.redeem("x").json["error"] == "unauthorized_client"
    assert browser.get(robot.authorization_url()).status == 400, "it has no redirect URI"


# Lifetimes


def test_client_can_shorten_access_token_lifetime_row74(make_bridge: MakeBridge) -> None:
    hub = next(client for client in CLIENTS if client["client_id"] == "hub")
    bridge = make_bridge(clients=json.dumps([{**hub, "access_token_lifetime_seconds": 300}]))
    app = App(bridge.wire, secret=HUB_SECRET)
    tokens = app.redeem(app.extract_code(Browser(bridge.wire).sign_in(app.authorization_url()))).json
    assert tokens["expires_in"] == 300
    bridge.clock.advance(301)
    assert app.fetch_userinfo(tokens["access_token"]).status == 401
