"""Findings of a security review: remaining access and the identity of sessions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.store import fingerprint
from tests.http.conftest import MakeBridge
from tests.http.signed_in_user import claims_in
from tests.http.world import CLIENTS, Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

NOTES = {"secret": "the secret of notes", "redirect_uri": "https://notes.example.org/cb"}


def tokens_of(browser: Browser, app: App, **changes: str) -> dict[str, Any]:
    return app.redeem(app.extract_code(browser.sign_in(app.authorization_url(**changes)))).json


def test_unknown_login_time_fails_max_age_row60(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (), "isFromNewLogin": ()})

    token = tokens_of(browser, hub)["id_token"]
    asked = browser.get(hub.authorization_url(max_age="3600"))

    assert "auth_time" not in claims_in(token)
    assert "renew=true" in asked.location


def test_forced_login_makes_login_time_known_row60(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (), "isFromNewLogin": ()})

    assert "auth_time" in claims_in(tokens_of(browser, hub, prompt="login")["id_token"])


def test_client_closed_to_a_user_issues_nothing_row27(make_bridge: MakeBridge) -> None:
    before = make_bridge()
    notes = App(before.wire, "notes", **NOTES)
    tokens = tokens_of(Browser(before.wire), notes, scope="openid profile")

    clients = [{**client, "allowed_groups": ["nobody"]} for client in CLIENTS if client["client_id"] == "notes"]
    after = make_bridge(clients=json.dumps(clients), database_url=f"sqlite:///{before.database}")

    assert App(after.wire, "notes", **NOTES).refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_scope_removed_from_client_is_not_refreshed_row26(make_bridge: MakeBridge) -> None:
    before = make_bridge()
    tokens = tokens_of(Browser(before.wire), App(before.wire, "notes", **NOTES), scope="openid profile email")

    clients = [{**client, "scopes": ["openid", "profile"]} for client in CLIENTS if client["client_id"] == "notes"]
    after = make_bridge(clients=json.dumps(clients), database_url=f"sqlite:///{before.database}")
    notes = App(after.wire, "notes", **NOTES)

    assert notes.refresh(tokens["refresh_token"]).json["scope"] == "openid profile"


def test_reduced_scope_omits_claims_by_name_row26(browser: Browser, notes: App) -> None:
    claims = json.dumps({"userinfo": {"email": None}})
    tokens = tokens_of(browser, notes, scope="openid profile", claims=claims)
    assert "email" in notes.fetch_userinfo(tokens["access_token"]).json

    narrowed = notes.refresh(tokens["refresh_token"], scope="openid").json

    assert set(notes.fetch_userinfo(narrowed["access_token"]).json) == {"sub"}


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"sub": {"value": "bob"}}, "login_required"),
        ({"acr": {"essential": True, "values": ["mfa"]}}, "unmet_authentication_requirements"),
    ],
)
def test_missing_essential_acr_is_an_error_row59(
    browser: Browser, hub: App, wanted: dict[str, Any], error: str
) -> None:
    answer = browser.sign_in(hub.authorization_url(claims=json.dumps({"id_token": wanted})))

    assert answer.parameters["error"] == error


def test_present_essential_acr_succeeds(browser: Browser, hub: App) -> None:
    wanted = {"sub": {"value": "alice"}, "acr": {"essential": False, "values": ["mfa"]}}

    assert hub.extract_code(browser.sign_in(hub.authorization_url(claims=json.dumps({"id_token": wanted}))))


def test_default_scope_excludes_offline_access_row52(browser: Browser, notes: App) -> None:
    assert "offline_access" not in tokens_of(browser, notes, scope="")["scope"]


def test_oversized_request_is_rejected_row5(bridge: Running, browser: Browser, hub: App) -> None:
    answer = browser.get(hub.authorization_url(id_token_hint="e" * 5000))

    assert answer.parameters["error"] == "invalid_request"
    assert "/cas/login" not in answer.location


def test_session_ended_elsewhere_requires_password(bridge: Running, browser: Browser, hub: App) -> None:
    tokens_of(browser, hub)
    (cookie,) = (value for name, value in browser.cookies.items() if name.endswith("session"))
    session = bridge.store.sessions.find(fingerprint(cookie), now=bridge.clock.now)
    assert session is not None
    bridge.store.sessions.end(session.sid, now=bridge.clock.now)

    assert "renew=true" in browser.get(hub.authorization_url()).location


def test_revoking_all_access_includes_offline_access(bridge: Running, browser: Browser, notes: App) -> None:
    tokens = tokens_of(browser, notes, scope="openid offline_access")

    assert bridge.store.grants.revoke_subject("alice", now=bridge.clock.now) == 1
    assert notes.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
