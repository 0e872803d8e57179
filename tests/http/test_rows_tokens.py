"""Introspection (RFC 7662) and revocation (RFC 7009): a client and its own tokens, and nobody else's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.http.world import ISSUER, Running
from tests.support.bridge.actors import FORM, App, Browser, Response

ASKING = ["introspect", "revoke"]


@pytest.fixture
def tokens(browser: Browser, notes: App) -> dict[str, Any]:
    return notes.redeem(notes.extract_code(browser.sign_in(notes.authorization_url(scope="openid profile email")))).json


# Introspection


def test_a_client_learns_what_its_access_token_is_good_for_row67(
    bridge: Running, notes: App, tokens: dict[str, Any]
) -> None:
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


def test_a_refresh_token_is_told_from_an_access_token_row67(notes: App, tokens: dict[str, Any]) -> None:
    told = notes.query_token(tokens["refresh_token"], token_type_hint="refresh_token").json
    assert told["active"] is True
    assert "token_type" not in told


def test_a_narrowed_token_tells_no_more_than_its_scope_row67(notes: App, tokens: dict[str, Any]) -> None:
    narrow = notes.refresh(tokens["refresh_token"], scope="openid").json["access_token"]
    told = notes.query_token(narrow).json
    assert told["scope"] == "openid"
    assert "username" not in told


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_nobody_learns_of_tokens_of_others_row67(hub: App, tokens: dict[str, Any], which: str) -> None:
    answer = hub.query_token(tokens[which])
    assert (answer.status, answer.json) == (200, {"active": False})


@pytest.mark.parametrize("token", ["unknown", "a b", '"\\', "\x00", "é☃", "x" * 9000])
def test_an_unknown_token_is_not_active_and_no_fault_row67(notes: App, token: str) -> None:
    answer = notes.query_token(token)
    assert (answer.status, answer.json) == (200, {"active": False})


def test_expired_and_used_tokens_are_not_active_row67(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    assert notes.query_token(tokens["refresh_token"]).json == {"active": False}
    bridge.clock.advance(3601)
    assert notes.query_token(tokens["access_token"]).json == {"active": False}


def test_codes_id_tokens_and_cookies_are_no_tokens_here_row67(browser: Browser, notes: App) -> None:
    code = notes.extract_code(browser.sign_in(notes.authorization_url()))
    id_token = notes.redeem(code).json["id_token"]
    for other in (code, id_token, browser.cookies["__Host-passerelle-session"]):
        assert notes.query_token(other).json == {"active": False}


def test_a_public_client_cannot_ask_row67(cli: App) -> None:
    """Anybody can say its name, so anybody could try tokens."""
    answer = cli.query_token("x")
    assert (answer.status, answer.json["error"]) == (400, "unauthorized_client")


# Revocation


def test_a_revoked_access_token_is_dead_and_its_refresh_token_lives_row68(notes: App, tokens: dict[str, Any]) -> None:
    answer = notes.query_token(tokens["access_token"], endpoint="revoke")
    assert (answer.status, answer.body) == (200, b"")
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_a_revoked_refresh_token_takes_its_access_tokens_along_row68(notes: App, tokens: dict[str, Any]) -> None:
    refreshed = notes.refresh(tokens["refresh_token"]).json
    assert notes.query_token(refreshed["refresh_token"], endpoint="revoke").status == 200
    for given in (tokens, refreshed):
        assert notes.fetch_userinfo(given["access_token"]).status == 401
    assert notes.refresh(refreshed["refresh_token"]).json["error"] == "invalid_grant"


def test_a_replaced_refresh_token_still_revokes_its_grant_row68(notes: App, tokens: dict[str, Any]) -> None:
    """Whoever revokes wants it to be over, and may have missed the last rotation."""
    refreshed = notes.refresh(tokens["refresh_token"]).json
    notes.query_token(tokens["refresh_token"], endpoint="revoke")
    assert notes.fetch_userinfo(refreshed["access_token"]).status == 401


@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "pat", "\x00", "é"])
def test_the_hint_changes_nothing_right_wrong_or_unknown_row68(
    notes: App, tokens: dict[str, Any], hint: str | None
) -> None:
    assert notes.query_token(tokens["access_token"], endpoint="revoke", token_type_hint=hint).status == 200
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401


@pytest.mark.parametrize("token", ["unknown", "\x00", "é☃", "x" * 9000])
def test_revoking_what_is_not_there_is_fine_row68(notes: App, token: str) -> None:
    assert notes.query_token(token, endpoint="revoke").status == 200


def test_nobody_revokes_tokens_of_others_row68(hub: App, notes: App, tokens: dict[str, Any]) -> None:
    for which in ("access_token", "refresh_token"):
        assert hub.query_token(tokens[which], endpoint="revoke").status == 200, "and learns nothing"
    assert notes.fetch_userinfo(tokens["access_token"]).status == 200
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_public_clients_revoke_by_name_row68(browser: Browser, cli: App) -> None:
    token = cli.redeem(cli.extract_code(browser.sign_in(cli.authorization_url()))).json["access_token"]
    assert cli.query_token(token, endpoint="revoke").status == 200
    assert cli.fetch_userinfo(token).status == 401


# Both


@pytest.mark.parametrize("endpoint", ASKING)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": "nobody"}, id="row42-unknown"),
        pytest.param({"client_secret": "wrong"}, id="row42-wrong"),
        pytest.param({"client_secret": None}, id="row42-none"),
        pytest.param({"client_id": "cli"}, id="row45-public-with-a-secret"),
        pytest.param({"client_secret": "gehëim☃"}, id="row45-non-ascii"),
    ],
)
def test_who_cannot_prove_themselves_is_told_the_same_as_at_the_token_endpoint_row44(
    notes: App, endpoint: str, changes: dict[str, str | None]
) -> None:
    answer, at_token = notes.query_token("x", endpoint=endpoint, **changes), notes.redeem("x", **changes)
    assert (answer.status, answer.json) == (at_token.status, at_token.json) == (401, at_token.json)
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')


@pytest.mark.parametrize("endpoint", ASKING)
def test_requests_are_read_as_strictly_as_at_the_token_endpoint_row43_row47_row48_row49_row51(
    bridge: Running, notes: App, endpoint: str
) -> None:
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


@pytest.mark.parametrize("endpoint", [*ASKING, "token", "userinfo"])
def test_answers_and_refusals_are_not_cached_row41(
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
