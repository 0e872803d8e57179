"""Logout requests of CAS in every format (cas24 and cas25)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest

from bridge.cas.logout_request import PROBE_TICKET_PREFIX, parse_logout_request
from bridge.web.context import EXTENSION
from tests.http.conftest import MakeBridge
from tests.http.deliveries import clients_with_logout_uris, deliver, nothing_waits, settle, until, verified
from tests.http.logout_messages import (
    FORM,
    WAYS,
    form,
    message,
    posts,
    refreshing_hub,
    sign_in,
    ticket_in,
)
from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.cas.scripted_cas import Exchange, ScriptedCas


@pytest.mark.parametrize("encode", [quote, quote_plus])
def test_plus_in_ticket_survives_every_encoding_cas24(encode: Callable[[str], str]) -> None:
    assert parse_logout_request(encode(message("ST-a+b")).encode()) == "ST-a+b"
    loosely = message("ST-a+b").replace("<", "%3C").replace(" ", "%20")
    assert parse_logout_request(loosely.encode()) == "ST-a+b"


@pytest.fixture
def told() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("way", WAYS)
def test_every_message_format_ends_the_session_cas24(bridge: Running, browser: Browser, hub: App, way: str) -> None:
    ticket, code = sign_in(browser, hub)
    token = hub.redeem(code).json["access_token"]
    assert hub.fetch_userinfo(token).status == 200
    assert WAYS[way](bridge, ticket).status == 200
    assert hub.fetch_userinfo(token).status == 401
    assert hub.query_token(token).json == {"active": False}
    assert "sub" not in browser.get("/").text
    assert urlsplit(browser.get(hub.authorization_url()).location).path == "/cas/login"


def test_logout_revokes_tokens_and_notifies_clients_cas24(make_bridge: MakeBridge, told: LogoutReceiver) -> None:
    bridge = make_bridge(clients=clients_with_logout_uris(hub=told.url))
    browser, hub = Browser(bridge.wire), refreshing_hub(bridge)
    ticket, code = sign_in(browser, hub, scope="openid profile")
    tokens = hub.redeem(code).json
    waiting = hub.extract_code(browser.get(hub.authorization_url(scope="openid")))
    assert WAYS["form"](bridge, ticket).status == 200
    deliver(bridge)
    (heard,) = told.wait_for(1)
    claims = verified(bridge, heard.token, "RS256").claims
    assert claims["sub"] == "alice"
    assert claims["aud"] == "hub"
    assert hub.query_token(tokens["access_token"]).json == {"active": False}
    assert hub.query_token(tokens["refresh_token"]).json == {"active": False}
    assert hub.fetch_userinfo(tokens["access_token"]).status == 401
    assert hub.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert hub.redeem(waiting).json["error"] == "invalid_grant"
    until(lambda: nothing_waits(bridge))
    settle()


@pytest.mark.parametrize(("setting", "survives"), [("true", False), ("false", True)])
def test_logout_revokes_offline_access_by_default_cas24(make_bridge: MakeBridge, setting: str, survives: bool) -> None:
    bridge = make_bridge(clients=clients_with_logout_uris(), cas_logout_ends_offline_access=setting)
    hub = refreshing_hub(bridge)
    ticket, code = sign_in(Browser(bridge.wire), hub, scope="openid offline_access")
    tokens = hub.redeem(code).json
    WAYS["form"](bridge, ticket)
    assert (hub.refresh(tokens["refresh_token"]).status == 200) is survives


def test_one_ticket_ends_all_sessions_of_the_browser_cas25(
    bridge: Running, cas: ScriptedCas, browser: Browser, hub: App, portal: App
) -> None:
    _, code = sign_in(browser, hub)
    second, second_code = sign_in(browser, portal, prompt="login")
    tokens = [hub.redeem(code).json["access_token"], portal.redeem(second_code).json["access_token"]]
    other = Browser(bridge.wire)
    _, other_code = sign_in(other, hub)
    of_another = hub.redeem(other_code).json["access_token"]
    assert WAYS["form"](bridge, second).status == 200
    assert [hub.fetch_userinfo(token).status for token in tokens] == [401, 401]
    assert hub.fetch_userinfo(of_another).status == 200


def test_two_concurrent_tabs_end_together_cas25(bridge: Running, browser: Browser, hub: App, portal: App) -> None:
    """A browser that restores its tabs: no tab sends the cookies of the other, until both have begun."""
    callbacks, before = [], {}
    for app in (hub, portal):
        browser.cookies = {}
        callbacks.append(browser.log_in_at_cas(browser.get(app.authorization_url())))
        before |= browser.cookies
    tokens = []
    for app, callback in zip((hub, portal), callbacks, strict=True):
        browser.cookies = dict(before)
        tokens.append(app.redeem(app.extract_code(browser.get(callback))).json["access_token"])
    assert WAYS["form"](bridge, ticket_in(callbacks[1])).status == 200
    assert [hub.fetch_userinfo(token).status for token in tokens] == [401, 401]


@pytest.mark.parametrize("what", ["is validated", "could not be validated"])
def test_logout_before_validation_ends_the_session_cas25(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, what: str
) -> None:
    """Apereo forgets the older ticket when it issues the next one."""
    token = hub.redeem(sign_in(browser, hub)[1]).json["access_token"]
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url(prompt="login")))

    def script(exchange: Exchange) -> None:
        cas.script = None
        if what == "is validated":
            assert WAYS["form"](bridge, ticket_in(callback)).status == 200
            cas.validate(exchange)
        else:
            exchange.reply(b"maintenance", status=503)

    cas.script = script
    browser.get(callback)
    WAYS["form"](bridge, ticket_in(callback))
    assert hub.fetch_userinfo(token).status == 401


def test_logout_request_suffices_after_cas_logout(bridge: Running, browser: Browser, hub: App) -> None:
    """A login at CAS after its logout identifies the user; no second password is required."""
    ticket, _ = sign_in(browser, hub)
    WAYS["form"](bridge, ticket)
    assert "renew" not in parse_qs(urlsplit(browser.get(hub.authorization_url()).location).query)


UNKNOWN = ["ST-never-seen", "PGT-1-abc", "PGTIOU-1", "anything at all", "ST-" + "x" * 500, "ünïcode"]


@pytest.mark.parametrize("ticket", UNKNOWN)
def test_unknown_ticket_gets_the_same_response_cas24(bridge: Running, browser: Browser, hub: App, ticket: str) -> None:
    known, code = sign_in(browser, hub)
    token = hub.redeem(code).json["access_token"]
    unknown = WAYS["form"](bridge, ticket)
    assert unknown.status == 200
    assert hub.fetch_userinfo(token).status == 200
    ours = WAYS["form"](bridge, known)
    assert (ours.status, ours.body) == (unknown.status, unknown.body)
    unlike = {"X-Request-Id", "Date"}
    assert {n: v for n, v in ours.headers if n not in unlike} == {n: v for n, v in unknown.headers if n not in unlike}


def test_repeated_logout_request_is_idempotent_cas24(
    make_bridge: MakeBridge, told: LogoutReceiver, logged: list[str]
) -> None:
    bridge = make_bridge(clients=clients_with_logout_uris(hub=told.url))
    hub = refreshing_hub(bridge)
    ticket, _ = sign_in(Browser(bridge.wire), hub)
    threads = [threading.Thread(target=WAYS["form"], args=(bridge, ticket)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert WAYS["form"](bridge, ticket).status == 200
    assert sorted(event["ended"] for event in events(logged, "single_logout")) == [0] * 8 + [1]
    assert len(events(logged, "session_ended")) == 1
    assert len(bridge.store.deliveries.list_waiting()) == 1


def test_ticket_in_a_form_is_rejected(bridge: Running, browser: Browser, hub: App, cas: ScriptedCas) -> None:
    callback = urlsplit(browser.log_in_at_cas(browser.get(hub.authorization_url())))
    sent = parse_qs(callback.query)
    answer = browser.post(f"{callback.path}?state={sent['state'][0]}", {"ticket": sent["ticket"][0]})
    assert answer.status == 400
    assert "method=GET" in answer.text
    assert not cas.validations


def test_logout_that_overtakes_its_login_denies_it(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, logged: list[str]
) -> None:
    """CAS ends the session before the bridge receives the validation response."""

    def sign_out_first(exchange: Exchange) -> None:
        cas.script = None
        assert WAYS["form"](bridge, exchange.request_seen.value("ticket")).status == 200
        cas.validate(exchange)

    cas.script = sign_out_first
    again = browser.sign_in(hub.authorization_url())
    assert "__Host-passerelle-session" not in browser.cookies
    assert urlsplit(again.location).path == "/cas/login", "the one silent restart"
    assert events(logged, "login_restarted")
    hub.extract_code(browser.get(browser.log_in_at_cas(again)))


def test_check_messages_are_not_logged_as_logouts(bridge: Running, logged: list[str]) -> None:
    for way in WAYS.values():
        assert way(bridge, f"{PROBE_TICKET_PREFIX}{'0' * 32}").status == 200
    assert not events(logged, "single_logout")
    assert len(events(logged, "single_logout_checked")) == len(WAYS)


def test_log_has_no_ticket(bridge: Running, browser: Browser, hub: App, logged: list[str]) -> None:
    ticket, _ = sign_in(browser, hub)
    for way in WAYS.values():
        way(bridge, ticket)
    posts(form(message(f"{ticket} {ticket}<x/>")), FORM)(bridge)
    posts(form(message(ticket)[:-3]), FORM)(bridge)
    assert events(logged, "single_logout")
    assert not [line for line in logged if ticket in line]


def test_logout_outcomes_are_counted(bridge: Running, browser: Browser, hub: App) -> None:
    def count(outcome: str) -> float:
        line = rf'passerelle_single_logouts_total{{outcome="{outcome}"}} (\S+)'
        found = re.search(line, bridge.app.extensions[EXTENSION].metrics.render({}).decode())
        return float(found[1]) if found else 0

    before = {outcome: count(outcome) for outcome in ("ended", "unknown", "malformed", "checked")}
    ticket, _ = sign_in(browser, hub)
    for _ in range(2):
        WAYS["form"](bridge, ticket)
    posts(form("<x/>"), FORM)(bridge)
    WAYS["form"](bridge, f"{PROBE_TICKET_PREFIX}1")  # from `passerelle check`: not a logout of CAS
    assert {outcome: count(outcome) - before[outcome] for outcome in before} == dict.fromkeys(before, 1)
