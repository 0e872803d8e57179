"""Introspection (RFC 7662) and revocation (RFC 7009) of a client's own tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.http.world import ISSUER, Running
from tests.support.bridge.actors import FORM, App, Browser, Response

ENDPOINTS = ["introspect", "revoke"]


@pytest.fixture
def tokens(browser: Browser, notes: App) -> dict[str, Any]:
    return notes.redeem(notes.extract_code(browser.sign_in(notes.authorization_url(scope="openid profile email")))).json


# Introspection


def test_introspection_describes_access_token_row67(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    now = int(bridge.clock())
    assert notes.query_token(tokens["access_token"]).json == {
        "active": True,
        "iss": ISSUER,
        "client_id": "notes",
        "sub": "alice",
        "username": "alice",
        "scope": "openid profile email",
        "token_type": "Bearer",
        "iat": now,
        "exp": now + 3600,
    }


def test_introspection_of_refresh_token_has_no_type_row67(notes: App, tokens: dict[str, Any]) -> None:
    claims = notes.query_token(tokens["refresh_token"], token_type_hint="refresh_token").json
    assert claims["active"] is True
    assert "token_type" not in claims


def test_introspection_is_limited_to_scope_row67(notes: App, tokens: dict[str, Any]) -> None:
    narrow = notes.refresh(tokens["refresh_token"], scope="openid").json["access_token"]
    claims = notes.query_token(narrow).json
    assert claims["scope"] == "openid"
    assert "username" not in claims


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_introspection_hides_tokens_of_other_clients_row67(hub: App, tokens: dict[str, Any], which: str) -> None:
    answer = hub.query_token(tokens[which])
    assert (answer.status, answer.json) == (200, {"active": False})


@pytest.mark.parametrize("token", ["unknown", "a b", '"\\', "\x00", "é☃", "x" * 9000])
def test_unknown_token_is_inactive_row67(notes: App, token: str) -> None:
    answer = notes.query_token(token)
    assert (answer.status, answer.json) == (200, {"active": False})


def test_expired_and_rotated_tokens_are_inactive_row67(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    assert notes.query_token(tokens["refresh_token"]).json == {"active": False}
    bridge.clock.advance(3601)
    assert notes.query_token(tokens["access_token"]).json == {"active": False}


def test_introspection_ignores_codes_and_cookies_row67(browser: Browser, notes: App) -> None:
    code = notes.extract_code(browser.sign_in(notes.authorization_url()))
    id_token = notes.redeem(code).json["id_token"]
    for other in (code, id_token, browser.cookies["__Host-passerelle-session"]):
        assert notes.query_token(other).json == {"active": False}


def test_public_client_cannot_introspect_row67(cli: App) -> None:
    """Without authentication, introspection would let anyone test tokens."""
    answer = cli.query_token("x")
    assert (answer.status, answer.json["error"]) == (400, "unauthorized_client")


# Revocation


def test_revoked_access_token_keeps_refresh_token_row68(notes: App, tokens: dict[str, Any]) -> None:
    answer = notes.query_token(tokens["access_token"], endpoint="revoke")
    assert (answer.status, answer.body) == (200, b"")
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_revoked_refresh_token_revokes_grant_row68(notes: App, tokens: dict[str, Any]) -> None:
    refreshed = notes.refresh(tokens["refresh_token"]).json
    assert notes.query_token(refreshed["refresh_token"], endpoint="revoke").status == 200
    for given in (tokens, refreshed):
        assert notes.fetch_userinfo(given["access_token"]).status == 401
    assert notes.refresh(refreshed["refresh_token"]).json["error"] == "invalid_grant"


def test_rotated_refresh_token_revokes_grant_row68(notes: App, tokens: dict[str, Any]) -> None:
    """The client may have missed the response to the last rotation."""
    refreshed = notes.refresh(tokens["refresh_token"]).json
    notes.query_token(tokens["refresh_token"], endpoint="revoke")
    assert notes.fetch_userinfo(refreshed["access_token"]).status == 401


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "pat", "\x00", "é"])
def test_token_type_hint_is_ignored_row68(notes: App, tokens: dict[str, Any], hint: str | None) -> None:
    assert notes.query_token(tokens["access_token"], endpoint="revoke", token_type_hint=hint).status == 200
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401


@pytest.mark.parametrize("token", ["unknown", "\x00", "é☃", "x" * 9000])
def test_revoking_unknown_token_succeeds_row68(notes: App, token: str) -> None:
    assert notes.query_token(token, endpoint="revoke").status == 200


def test_client_cannot_revoke_tokens_of_others_row68(hub: App, notes: App, tokens: dict[str, Any]) -> None:
    for which in ("access_token", "refresh_token"):
        assert hub.query_token(tokens[which], endpoint="revoke").status == 200
    assert notes.fetch_userinfo(tokens["access_token"]).status == 200
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_public_client_revokes_own_token_row68(browser: Browser, cli: App) -> None:
    token = cli.redeem(cli.extract_code(browser.sign_in(cli.authorization_url()))).json["access_token"]
    assert cli.query_token(token, endpoint="revoke").status == 200
    assert cli.fetch_userinfo(token).status == 401


# Both


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": "unregistered"}, id="row42-unknown"),
        pytest.param({"client_secret": "wrong"}, id="row42-wrong"),
        pytest.param({"client_secret": None}, id="row42-none"),
        pytest.param({"client_id": "cli"}, id="row45-public-with-secret"),
        pytest.param({"client_secret": "gehëim☃"}, id="row45-non-ascii"),
    ],
)
def test_unauthenticated_client_gets_same_error_row44(
    notes: App, endpoint: str, changes: dict[str, str | None]
) -> None:
    answer, at_token = notes.query_token("x", endpoint=endpoint, **changes), notes.redeem("x", **changes)
    assert (answer.status, answer.json) == (at_token.status, at_token.json) == (401, at_token.json)
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_requests_are_strict_row43_row47_row48_row49_row51(bridge: Running, notes: App, endpoint: str) -> None:
    def ask(form: list[tuple[str, str]], *, query: str = "", method: str = "POST", **headers: str) -> Response:
        return bridge.wire.send(method, f"/{endpoint}{query}", headers=FORM | headers, body=urlencode(form))

    usual = [("client_id", "notes"), ("client_secret", notes.secret or ""), ("token", "x")]
    basic = {"Authorization": "Basic bm90ZXM6eA=="}
    assert ask(usual).status == 200
    faults = {
        "row43": ask(usual, **basic),
        "row47": ask(usual[:2], query="?token=x"),
        "row48": ask(usual, **{"Content-Type": "application/json"}),
        "row49": ask([*usual, ("token", "y")]),
        "row51": ask(usual[:2]),
    }
    assert {row: (answer.status, answer.json["error"]) for row, answer in faults.items()} == dict.fromkeys(
        faults, (400, "invalid_request")
    )
    assert ask([], method="GET").status == 405
    assert ask([*usual, ("x", "1"), ("x", "2")]).status == 200, "row 50"


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "token", "userinfo"])
def test_token_responses_are_not_cached_row41(
    bridge: Running, notes: App, tokens: dict[str, Any], endpoint: str
) -> None:
    answers = [
        notes.query_token(tokens["access_token"], endpoint=endpoint),
        notes.query_token("x", endpoint=endpoint, client_secret="wrong"),
        bridge.wire.send("POST", f"/{endpoint}"),
        notes.refresh(tokens["refresh_token"]),
        notes.fetch_userinfo(tokens["access_token"]),
    ]
    for answer in answers:
        assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
