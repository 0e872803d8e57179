"""Refresh tokens: used once, bounded in time, forgiving for a moment, never for a thief (RFC 9700 §4.14.2)."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.conftest import MakeBridge
from tests.http.people import claims_in
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


def is_dead(app: App, token: str) -> bool:
    """An access token that opens nothing and is not even admitted to have been one."""
    return app.fetch_userinfo(token).status == 401 and app.query_token(token).json == {"active": False}


def test_a_client_that_may_not_refresh_gets_no_refresh_token(browser: Browser, hub: App) -> None:
    assert "refresh_token" not in tokens_for(browser, hub, scope="openid offline_access")


def test_each_use_gives_a_new_refresh_token_row23(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    seen = {tokens["refresh_token"]}
    for _ in range(4):
        bridge.clock.advance(60)
        tokens = notes.refresh(tokens["refresh_token"]).json
        assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
        assert tokens["refresh_token"] not in seen
        assert notes.fetch_userinfo(tokens["access_token"]).json["sub"] == "alice"
        seen.add(tokens["refresh_token"])


def test_the_replaced_refresh_token_is_refused_row23(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(60)
    answer = notes.refresh(tokens["refresh_token"])
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")


def test_reuse_revokes_all_that_was_ever_given_under_the_grant_row24(
    bridge: Running, notes: App, tokens: dict[str, Any]
) -> None:
    second = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(5)
    third = notes.refresh(second["refresh_token"]).json
    bridge.clock.advance(60)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert all(is_dead(notes, given["access_token"]) for given in (tokens, second, third))
    assert notes.refresh(third["refresh_token"]).json["error"] == "invalid_grant"


def test_reuse_within_the_grace_is_reuse_once_the_successor_was_used_row24(notes: App, tokens: dict[str, Any]) -> None:
    """Whoever holds the new token has had the answer: the old one comes from somebody else."""
    second = notes.refresh(tokens["refresh_token"]).json
    third = notes.refresh(second["refresh_token"]).json
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert is_dead(notes, third["access_token"])


def test_reuse_leaves_other_grants_of_the_same_person_alone_row24(
    bridge: Running, browser: Browser, notes: App, tokens: dict[str, Any]
) -> None:
    other = notes.redeem(notes.extract_code(browser.get(notes.authorization_url(scope="openid")))).json
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(60)
    notes.refresh(tokens["refresh_token"])
    assert notes.fetch_userinfo(other["access_token"]).status == 200
    assert notes.refresh(other["refresh_token"]).status == 200


def test_an_answer_that_was_lost_is_repeated_row25(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    lost = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(9)
    again = notes.refresh(tokens["refresh_token"]).json
    assert {name: again[name] for name in ("access_token", "refresh_token", "scope")} == {
        name: lost[name] for name in ("access_token", "refresh_token", "scope")
    }
    assert notes.fetch_userinfo(again["access_token"]).status == 200
    assert notes.refresh(again["refresh_token"]).status == 200


def test_the_grace_is_short_row25(bridge: Running, notes: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    bridge.clock.advance(12)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_the_grace_is_for_the_same_client_alone_row25_row26(notes: App, old: App, tokens: dict[str, Any]) -> None:
    notes.refresh(tokens["refresh_token"])
    thief = notes.refresh(tokens["refresh_token"], client_id="hub", client_secret=None)
    assert thief.status == 401
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_another_client_cannot_use_it_and_does_not_burn_it_row26(make_bridge: MakeBridge) -> None:
    other = {**next(client for client in CLIENTS if client["client_id"] == "notes"), "client_id": "other"}
    bridge = make_bridge(clients=json.dumps([*CLIENTS, other]))
    browser, notes = Browser(bridge.wire), App(bridge.wire, "notes", **NOTES)
    tokens = tokens_for(browser, notes)
    thief = App(bridge.wire, "other", **NOTES).refresh(tokens["refresh_token"])
    assert (thief.status, thief.json["error"]) == (400, "invalid_grant")
    assert notes.refresh(tokens["refresh_token"]).status == 200


def test_a_narrower_scope_narrows_this_access_token_alone_row26(
    bridge: Running, notes: App, tokens: dict[str, Any]
) -> None:
    narrow = notes.refresh(tokens["refresh_token"], scope="openid email").json
    assert narrow["scope"] == "openid email"
    assert "preferred_username" not in notes.fetch_userinfo(narrow["access_token"]).json
    bridge.clock.advance(60)
    full = notes.refresh(narrow["refresh_token"]).json
    assert full["scope"] == "openid profile email"
    assert notes.fetch_userinfo(full["access_token"]).json["preferred_username"] == "alice"


@pytest.mark.parametrize("scope", ["openid groups", "openid profile email offline_access", "nothing"])
def test_no_refresh_widens_the_scope_row26(notes: App, tokens: dict[str, Any], scope: str) -> None:
    answer = notes.refresh(tokens["refresh_token"], scope=scope)
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")
    assert notes.refresh(tokens["refresh_token"]).status == 200, "a mistake costs nothing"


def test_an_unused_refresh_token_expires_row27(bridge: Running, notes: App, browser: Browser) -> None:
    tokens = tokens_for(browser, notes, scope="openid offline_access")
    bridge.clock.advance(14 * DAY - 60)
    renewed = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(14 * DAY + 1)
    assert notes.refresh(renewed["refresh_token"]).json["error"] == "invalid_grant"


def test_without_offline_access_refreshing_ends_with_the_session_row27(
    bridge: Running, notes: App, tokens: dict[str, Any]
) -> None:
    bridge.clock.advance(8 * 3600 - 60)
    tokens = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(61)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_no_refreshing_reaches_past_the_end_of_the_grant_row27(bridge: Running, notes: App, browser: Browser) -> None:
    tokens = tokens_for(browser, notes, scope="openid offline_access")
    for _ in range(9):
        bridge.clock.advance(10 * DAY - 60)
        tokens = notes.refresh(tokens["refresh_token"]).json
    bridge.clock.advance(9 * 60 + 1)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_a_client_may_have_a_shorter_idle_time_row27(make_bridge: MakeBridge) -> None:
    clients = [
        {**client, "refresh_token_lifetime_seconds": 600} for client in CLIENTS if client["client_id"] == "notes"
    ]
    bridge = make_bridge(clients=json.dumps(clients))
    notes = App(bridge.wire, "notes", **NOTES)
    tokens = tokens_for(Browser(bridge.wire), notes)
    bridge.clock.advance(601)
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_what_a_removed_client_holds_is_worth_nothing_row27(make_bridge: MakeBridge) -> None:
    before = make_bridge()
    notes = App(before.wire, "notes", **NOTES)
    tokens = tokens_for(Browser(before.wire), notes)
    notes.wire = make_bridge(clients="[]").wire
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_client"
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401


def test_an_id_token_of_a_refresh_tells_the_same_person_and_the_first_sign_in_row28(
    bridge: Running, notes: App, tokens: dict[str, Any]
) -> None:
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
def test_what_is_no_refresh_token_is_refused_calmly(notes: App, tokens: dict[str, Any], token: str) -> None:
    answer = notes.refresh(token)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant" if token else "invalid_request")
    assert notes.refresh(tokens["access_token"]).json["error"] == "invalid_grant"


def live_pair(live_bridge: LiveBridge) -> tuple[Browser, App]:
    wire = Wire(live_bridge.url, port=live_bridge.port)
    return Browser(wire), App(wire, "notes", **NOTES)


def rows_of(live_bridge: LiveBridge, table: str) -> int:
    path = live_bridge.environment["PASSERELLE_DATABASE_URL"].removeprefix("sqlite:///")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def test_of_32_refreshes_at_two_workers_one_stores_and_all_get_its_tokens_row25(live_bridge: LiveBridge) -> None:
    with live_bridge:
        browser, notes = live_pair(live_bridge)
        presented = tokens_for(browser, notes)["refresh_token"]
        with ThreadPoolExecutor(RACERS) as pool:
            answers = list(pool.map(lambda _: notes.refresh(presented), range(RACERS)))
        assert [answer.status for answer in answers] == [200] * RACERS
        assert len({(answer.json["access_token"], answer.json["refresh_token"]) for answer in answers}) == 1
        assert rows_of(live_bridge, "refresh_tokens") == rows_of(live_bridge, "access_tokens") == 2
        assert notes.fetch_userinfo(answers[0].json["access_token"]).status == 200
        assert notes.refresh(answers[0].json["refresh_token"]).status == 200


def test_of_32_redemptions_at_two_workers_one_wins_and_the_others_mint_nothing_row18(live_bridge: LiveBridge) -> None:
    with live_bridge:
        browser, notes = live_pair(live_bridge)
        code = notes.extract_code(browser.sign_in(notes.authorization_url()))
        with ThreadPoolExecutor(RACERS) as pool:
            answers = list(pool.map(lambda _: notes.redeem(code), range(RACERS)))
        assert sorted(answer.status for answer in answers) == [200] + [400] * (RACERS - 1)
        assert {answer.json["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
        assert rows_of(live_bridge, "refresh_tokens") == rows_of(live_bridge, "access_tokens") == 1
        (won,) = [answer.json for answer in answers if answer.status == 200]
        assert notes.fetch_userinfo(won["access_token"]).status == 401, "row 17: they cannot be told from a thief"
