"""Tests of browser sessions: renewal, replacement and races."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.store import Session
from tests.http.signed_in_user import claims_in
from tests.http.world import Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ScriptedCas

COOKIE = "__Host-passerelle-session"


def test_session_ended_during_login_is_not_continued_row37(
    bridge: Running, browser: Browser, hub: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends in another tab, or by CAS, just before it is renewed."""
    first = claims_in(hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["id_token"])
    sessions = type(bridge.store.sessions)
    renew = sessions.renew

    def too_late(self: Any, session: Session, *, ticket_hash: str) -> bool:
        self.end(session.sid, now=int(bridge.clock()))
        return bool(renew(self, session, ticket_hash=ticket_hash))

    monkeypatch.setattr(sessions, "renew", too_late)
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url(prompt="login")))).json
    assert claims_in(tokens["id_token"])["sid"] != first["sid"]
    assert hub.fetch_userinfo(tokens["access_token"]).json["sub"] == "alice"
    assert hub.extract_code(browser.get(hub.authorization_url())), "this browser has a session"


def test_other_user_in_same_browser_ends_old_session_row37(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    hers = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    cas.sign_in_as("bob", {})
    his = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url(prompt="select_account")))).json
    assert hub.fetch_userinfo(his["access_token"]).json["sub"] == "bob"
    assert hub.fetch_userinfo(hers["access_token"]).status == 401
    assert claims_in(his["id_token"])["sid"] != claims_in(hers["id_token"])["sid"]


def test_same_user_keeps_grants_after_new_login_row37(browser: Browser, hub: App) -> None:
    before = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    cookie = browser.cookies[COOKIE]
    hub.extract_code(browser.sign_in(hub.authorization_url(prompt="login")))
    assert browser.cookies[COOKIE] != cookie
    assert hub.fetch_userinfo(before["access_token"]).status == 200
    stale = Browser(browser.wire)
    stale.cookies |= browser.cookies | {COOKIE: cookie}
    stale.log_in_at_cas(stale.get(hub.authorization_url()))
