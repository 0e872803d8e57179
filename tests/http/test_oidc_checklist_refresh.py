"""Refresh tokens: rotation, lifetimes, grace period and reuse detection (RFC 9700 §4.14.2)."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.conftest import MakeBridge
from tests.http.signed_in_user import claims_in
from tests.http.world import CLIENTS, Running
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge

DAY = 24 * 3600
RACERS = 32
NOTES = {"secret": "the secret of notes", "redirect_uri": "https://notes.example.org/cb"}


def tokens_for(browser: Browser, app: App, **changes: str) -> dict[str, Any]:
    return app.redeem(
        app.extract_code(browser.sign_in(app.authorization_url(**{"scope": "openid profile email", **changes})))
    ).json


@pytest.fixture
def tokens(browser: Browser, notes: App) -> dict[str, Any]:
    return tokens_for(browser, notes)


def is_invalid(app: App, token: str) -> bool:
    """Return whether userinfo rejects the access token and introspection reports it as inactive."""
    return app.fetch_userinfo(token).status == 401 and app.query_token(token).json == {"active": False}


def test_client_without_refresh_grant_gets_no_refresh_token(browser: Browser, hub: App) -> None:
    assert "refresh_token" not in tokens_for(browser, hub, scope="openid offline_access")


def test_refresh_rotates_refresh_token_row23(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    seen = {tokens["refresh_token"]}
    for _ in range(4):
        bridge.clock.advance(60)
        tokens = notes.refresh(tokens["refresh_token"]).json
        assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
        assert tokens["refresh_token"] not in seen
        assert notes.fetch_userinfo(tokens["access_token"]).json["sub"] == "alice"
        seen.add(tokens["refresh_token"])


def test_rotated_refresh_token_is_rejected_row23(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(60)
    answer = notes.refresh(tokens["refresh_token"])
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")


def test_refresh_token_reuse_revokes_grant_row24(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    second = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(5)
    third = notes.refresh(second["refresh_token"]).json
    bridge.clock.advance(60)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert all(is_invalid(notes, given["access_token"]) for given in (tokens, second, third))
    assert notes.refresh(third["refresh_token"]).json["error"] == "invalid_grant"


def test_grace_ends_when_successor_is_used_row24(notes: App, tokens: dict[str, Any]) -> None:
    second = notes.refresh(tokens["refresh_token"]).json
    third = notes.refresh(second["refresh_token"]).json
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert is_invalid(notes, third["access_token"])


def test_refresh_token_reuse_keeps_other_grants_row24(
    bridge: Running, browser: Browser, notes: App, tokens: dict[str, Any]
) -> None:
    other = notes.redeem(notes.extract_code(browser.get(notes.authorization_url(scope="openid")))).json
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(60)
    notes.refresh(tokens["refresh_token"])
    assert notes.fetch_userinfo(other["access_token"]).status == 200
    assert notes.refresh(other["refresh_token"]).status == 200


def test_lost_refresh_response_is_repeated_row25(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    lost = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(9)
    again = notes.refresh(tokens["refresh_token"]).json
    assert {name: again[name] for name in ("access_token", "refresh_token", "scope")} == {
        name: lost[name] for name in ("access_token", "refresh_token", "scope")
    }
    assert notes.fetch_userinfo(again["access_token"]).status == 200
    assert notes.refresh(again["refresh_token"]).status == 200


def test_grace_ends_after_ten_seconds_row25(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(12)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_grace_is_for_same_client_only_row25_row26(notes: App, old: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    answer = notes.refresh(tokens["refresh_token"], client_id="hub", client_secret=None)
    assert answer.status == 401
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_other_client_cannot_use_refresh_token_row26(make_bridge: MakeBridge) -> None:
    other = {**next(client for client in CLIENTS if client["client_id"] == "notes"), "client_id": "other"}
    bridge = make_bridge(clients=json.dumps([*CLIENTS, other]))
    browser, notes = Browser(bridge.wire), App(bridge.wire, "notes", **NOTES)
    tokens = tokens_for(browser, notes)
    answer = App(bridge.wire, "other", **NOTES).refresh(tokens["refresh_token"])
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_narrow_scope_affects_one_access_token_row26(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    narrow = notes.refresh(tokens["refresh_token"], scope="openid email").json
    assert narrow["scope"] == "openid email"
    assert "preferred_username" not in notes.fetch_userinfo(narrow["access_token"]).json
    bridge.clock.advance(60)
    full = notes.refresh(narrow["refresh_token"]).json
    assert full["scope"] == "openid profile email"
    assert notes.fetch_userinfo(full["access_token"]).json["preferred_username"] == "alice"


@pytest.mark.parametrize("scope", ["openid groups", "openid profile email offline_access", "nothing"])
def test_refresh_cannot_widen_scope_row26(notes: App, tokens: dict[str, Any], scope: str) -> None:
    answer = notes.refresh(tokens["refresh_token"], scope=scope)
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")
    assert notes.refresh(tokens["refresh_token"]).status == 200, "the token is still valid"


def test_unused_refresh_token_expires_row27(bridge: Running, notes: App, browser: Browser) -> None:
    tokens = tokens_for(browser, notes, scope="openid offline_access")
    bridge.clock.advance(14 * DAY - 60)
    renewed = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(14 * DAY + 1)
    assert notes.refresh(renewed["refresh_token"]).json["error"] == "invalid_grant"


def test_refresh_ends_with_session_unless_offline_row27(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    bridge.clock.advance(8 * 3600 - 60)
    tokens = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(61)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_refresh_ends_with_grant_lifetime_row27(bridge: Running, notes: App, browser: Browser) -> None:
    tokens = tokens_for(browser, notes, scope="openid offline_access")
    for _ in range(9):
        bridge.clock.advance(10 * DAY - 60)
        tokens = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(9 * 60 + 1)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_client_can_shorten_refresh_lifetime_row27(make_bridge: MakeBridge) -> None:
    clients = [
        {**client, "refresh_token_lifetime_seconds": 600} for client in CLIENTS if client["client_id"] == "notes"
    ]
    bridge = make_bridge(clients=json.dumps(clients))
    notes = App(bridge.wire, "notes", **NOTES)
    tokens = tokens_for(Browser(bridge.wire), notes)
    bridge.clock.advance(601)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_tokens_of_removed_client_are_invalid_row27(make_bridge: MakeBridge) -> None:
    before = make_bridge()
    notes = App(before.wire, "notes", **NOTES)
    tokens = tokens_for(Browser(before.wire), notes)
    notes.wire = make_bridge(clients="[]").wire
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_client"
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401


def test_refreshed_id_token_keeps_user_and_auth_time_row28(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    first = claims_in(tokens["id_token"])
    bridge.clock.advance(7200)
    refreshed = notes.refresh(tokens["refresh_token"]).json
    second = claims_in(refreshed["id_token"])
    for name in ("iss", "sub", "aud", "azp", "auth_time", "sid"):
        assert second[name] == first[name]
    assert first["nonce"] == notes.nonce
    assert "nonce" not in second
    assert second["iat"] == first["iat"] + 7200
    assert second["at_hash"] != first["at_hash"]


@pytest.mark.parametrize("token", ["unknown", "", "a b", "\x00", "é" * 5000, "x" * 43])
def test_malformed_refresh_token_is_rejected(notes: App, tokens: dict[str, Any], token: str) -> None:
    answer = notes.refresh(token)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant" if token else "invalid_request")
    assert notes.refresh(tokens["access_token"]).json["error"] == "invalid_grant"


def live_pair(serving: LiveBridge) -> tuple[Browser, App]:
    wire = Wire(serving.url, port=serving.port)
    return Browser(wire), App(wire, "notes", **NOTES)


def rows_of(serving: LiveBridge) -> Counter[str]:
    path = serving.environment["PASSERELLE_DATABASE_URL"].removeprefix("sqlite:///")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = ("refresh_tokens", "access_tokens")
        return Counter({name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables})
    finally:
        connection.close()


def test_concurrent_refreshes_get_one_token_pair_row25(serving: LiveBridge) -> None:
    browser, notes = live_pair(serving)
    before = rows_of(serving)
    presented = tokens_for(browser, notes)["refresh_token"]
    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(lambda _: notes.refresh(presented), range(RACERS)))
    assert [answer.status for answer in answers] == [200] * RACERS
    assert len({(answer.json["access_token"], answer.json["refresh_token"]) for answer in answers}) == 1
    assert rows_of(serving) - before == Counter(refresh_tokens=2, access_tokens=2)
    assert notes.fetch_userinfo(answers[0].json["access_token"]).status == 200
    assert notes.refresh(answers[0].json["refresh_token"]).status == 200


def test_one_of_32_concurrent_redemptions_succeeds_row18(serving: LiveBridge) -> None:
    browser, notes = live_pair(serving)
    before = rows_of(serving)
    code = notes.extract_code(browser.sign_in(notes.authorization_url()))
    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(lambda _: notes.redeem(code), range(RACERS)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * (RACERS - 1)
    assert {answer.json["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
    assert rows_of(serving) - before == Counter(refresh_tokens=1, access_tokens=1)
    (won,) = [answer.json for answer in answers if answer.status == 200]
    assert notes.fetch_userinfo(won["access_token"]).status == 401, "row 17: the repetitions are reuse"
