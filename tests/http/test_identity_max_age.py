"""Tests of `identity_max_age_seconds`: after that time CAS confirms the identity again, without a password."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import CLIENTS, Running
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

MAX_AGE = 600
WITHOUT_STAFF = {**ALICE, "groups": ("guests",)}


@pytest.fixture
def strict(make_bridge: MakeBridge) -> Running:
    """Return a bridge where `notes` sets the limit and `hub` does not."""
    changed = [
        {**client, "identity_max_age_seconds": MAX_AGE, "scopes": ["openid", "groups", "offline_access"]}
        if client["client_id"] == "notes"
        else client
        for client in CLIENTS
    ]
    return make_bridge(clients=json.dumps(changed))


@pytest.fixture
def browser(strict: Running) -> Browser:
    return Browser(strict.wire)


@pytest.fixture
def notes(strict: Running) -> App:
    return App(strict.wire, "notes", secret="the secret of notes", redirect_uri="https://notes.example.org/cb")


def tokens_of(app: App, answer: Response) -> dict[str, Any]:
    return app.redeem(app.extract_code(answer)).json


def asks_cas(answer: Response) -> bool:
    return "/cas/login?" in answer.location


@pytest.fixture
def tokens(browser: Browser, notes: App) -> dict[str, Any]:
    return tokens_of(notes, browser.sign_in(notes.authorization_url(scope="openid groups offline_access")))


def test_tokens_expire_at_identity_max_age(strict: Running, notes: App, tokens: dict[str, Any]) -> None:
    assert tokens["expires_in"] == MAX_AGE
    strict.clock.advance(MAX_AGE - 2)
    assert notes.fetch_userinfo(tokens["access_token"]).status == 200
    strict.clock.advance(2)
    assert notes.fetch_userinfo(tokens["access_token"]).status == 401
    assert notes.query_token(tokens["access_token"]).json == {"active": False}


def test_refresh_does_not_extend_identity_max_age(strict: Running, notes: App, tokens: dict[str, Any]) -> None:
    strict.clock.advance(MAX_AGE - 100)
    fresh = notes.refresh(tokens["refresh_token"]).json
    assert fresh["expires_in"] == 100
    strict.clock.advance(101)
    assert notes.fetch_userinfo(fresh["access_token"]).status == 401


def test_refresh_over_identity_max_age_explains_the_remedy(strict: Running, notes: App, tokens: dict[str, Any]) -> None:
    """The limit applies to offline_access as well."""
    strict.clock.advance(MAX_AGE)
    answer = notes.refresh(tokens["refresh_token"])
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert "send them to the authorization endpoint again" in answer.json["error_description"]


def test_ended_session_has_another_description(
    strict: Running, browser: Browser, notes: App, cas: ScriptedCas, tokens: dict[str, Any]
) -> None:
    """A session that CAS ended is not reported as one whose identity is too old."""
    online = tokens_of(notes, browser.get(notes.authorization_url(scope="openid groups")))
    strict.clock.advance(MAX_AGE)
    session = strict.store.sessions.list_newest(limit=1)[0]
    strict.store.sessions.end(session.sid, now=int(strict.clock()))
    answer = notes.refresh(online["refresh_token"])
    assert answer.json["error"] == "invalid_grant"
    assert "authorization endpoint" not in answer.json["error_description"]


def test_silent_cas_visit_updates_the_groups(
    strict: Running, browser: Browser, notes: App, cas: ScriptedCas, tokens: dict[str, Any]
) -> None:
    assert "staff" in notes.fetch_userinfo(tokens["access_token"]).json["groups"]
    cas.sign_in_as("alice", WITHOUT_STAFF)
    strict.clock.advance(MAX_AGE)
    there = browser.get(notes.authorization_url(scope="openid groups offline_access"))
    assert asks_cas(there)
    assert "renew" not in there.parameters
    fresh = tokens_of(notes, browser.get(browser.log_in_at_cas(there)))
    assert notes.fetch_userinfo(fresh["access_token"]).json["groups"] == ["guests"]
    assert fresh["expires_in"] == MAX_AGE


def test_prompt_none_uses_cas_gateway(strict: Running, browser: Browser, notes: App, tokens: dict[str, Any]) -> None:
    strict.clock.advance(MAX_AGE)
    there = browser.get(notes.authorization_url(scope="openid", prompt="none"))
    assert asks_cas(there)
    assert there.parameters["gateway"] == "true"


def test_session_is_revalidated_unless_it_is_fresh(
    strict: Running, browser: Browser, notes: App, tokens: dict[str, Any]
) -> None:
    strict.clock.advance(50)
    assert not asks_cas(browser.get(notes.authorization_url(scope="openid")))
    strict.clock.advance(20)
    assert asks_cas(browser.get(notes.authorization_url(scope="openid")))


def test_other_clients_keep_using_the_session(
    strict: Running, browser: Browser, notes: App, hub: App, tokens: dict[str, Any]
) -> None:
    strict.clock.advance(3 * MAX_AGE)
    hub = App(strict.wire, "hub", secret=hub.secret, redirect_uri=hub.redirect_uri)
    answer = browser.get(hub.authorization_url())
    assert not asks_cas(answer)
    assert tokens_of(hub, answer)["expires_in"] == 3600


def test_session_without_timestamp_is_not_fresh(
    strict: Running, browser: Browser, notes: App, tokens: dict[str, Any]
) -> None:
    """An older version stored sessions without that time."""
    import sqlite3

    with sqlite3.connect(strict.database) as database:
        database.execute("UPDATE sessions SET identity = json_remove(identity, '$.as_of')")
        database.execute("UPDATE grants SET identity = json_remove(identity, '$.as_of')")
    database.close()
    assert asks_cas(browser.get(notes.authorization_url(scope="openid")))
    assert "authorization endpoint" in notes.refresh(tokens["refresh_token"]).json["error_description"]


@pytest.mark.parametrize("seconds", [0, 9, 31 * 24 * 3600])
def test_invalid_identity_max_age_stops_the_start(make_bridge: MakeBridge, seconds: int) -> None:
    clients = json.dumps([{**CLIENTS[0], "identity_max_age_seconds": seconds}])
    with pytest.raises(Exception, match="identity_max_age_seconds"):
        make_bridge(clients=clients)
