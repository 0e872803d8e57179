"""Tests of `cas_service_state = "cookie"`, for a CAS that registers one exact service URL."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, ISSUER, Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ScriptedCas

SERVICE = f"{ISSUER}/cas/callback"
BeginLogin = Callable[..., str]


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(cas_service_state="cookie")


@pytest.fixture
def browser(bridge: Running) -> Browser:
    return Browser(bridge.wire)


@pytest.fixture
def begin_login(bridge: Running) -> BeginLogin:
    def begin_login(browser: Browser, app: App, **changes: str | None) -> str:
        """Return the service URL. Logins are ordered by whole seconds."""
        bridge.clock.advance(1)
        return parse_qs(urlsplit(browser.get(app.authorization_url(**changes)).location).query)["service"][0]

    return begin_login


def callback(browser: Browser, cas: ScriptedCas) -> str:
    """Return the callback URL with a new ticket."""
    ticket = cas.issue_ticket(SERVICE)
    browser.wire.secrets.add(ticket)
    return f"{SERVICE}?ticket={ticket}"


def test_cas_gets_the_same_service_url_every_time(
    begin_login: BeginLogin, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    assert [begin_login(browser, hub) for _ in range(3)] == [SERVICE] * 3
    code = hub.extract_code(browser.get(callback(browser, cas)))
    assert hub.redeem(code).status == 200
    assert cas.validations[-1].value("service") == SERVICE


def test_newest_login_continues(
    begin_login: BeginLogin, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begin_login(browser, hub)
    begin_login(browser, portal)
    portal.extract_code(browser.get(callback(browser, cas)))


def test_two_concurrent_tabs_succeed_cas21(
    begin_login: BeginLogin, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begin_login(browser, hub)
    begin_login(browser, portal)
    reached = [browser.get(callback(browser, cas)).location.partition("?")[0] for _ in range(2)]
    assert sorted(reached) == sorted([hub.redirect_uri, portal.redirect_uri.partition("?")[0]])


def test_five_restored_tabs_sign_in_cas21(
    begin_login: BeginLogin, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    for _ in range(5):
        tab = Browser(browser.wire)  # sends no cookie yet
        begin_login(tab, hub)
        browser.cookies |= tab.cookies
    for _ in range(5):
        assert hub.extract_code(browser.get(callback(browser, cas)))


@pytest.mark.parametrize("cookie", ["none", "another browser's"])
def test_ticket_without_login_cookie_is_not_validated_cas21(
    begin_login: BeginLogin, browser: Browser, hub: App, cas: ScriptedCas, cookie: str
) -> None:
    begin_login(browser, hub)
    victim = Browser(browser.wire)
    if cookie != "none":
        begin_login(victim, hub)
        victim.get(callback(victim, cas))
        cas.requests.clear()
    assert victim.get(callback(browser, cas)).status == 400
    assert not cas.validations
    assert victim.get(f"{SERVICE}?ticket=ST-1&state=x").status == 400


def test_ticket_is_used_once_and_reload_continues_cas22(
    begin_login: BeginLogin, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begin_login(browser, hub)
    begin_login(browser, portal)
    back = callback(browser, cas)
    portal.extract_code(browser.get(back))
    again = browser.get(back)
    assert urlsplit(again.location).path == "/authorize"
    portal.extract_code(browser.get(again.location))
    hub.extract_code(browser.get(callback(browser, cas)))


def test_missing_cas_session_answers_the_gateway_login_cas23(
    begin_login: BeginLogin, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begin_login(browser, portal)
    assert begin_login(browser, hub, prompt="none") == SERVICE
    assert browser.get(SERVICE).parameters["error"] == "login_required"
    assert browser.get(SERVICE).status == 400, "the login was consumed before"
    portal.extract_code(browser.get(callback(browser, cas)))


def test_no_login_continues_after_expiry(
    begin_login: BeginLogin, bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    begin_login(browser, hub)
    bridge.clock.advance(601)
    assert browser.get(callback(browser, cas)).status == 400
    assert not cas.validations


@pytest.fixture
def hub(bridge: Running) -> App:
    return App(bridge.wire, secret=HUB_SECRET)


@pytest.fixture
def portal(bridge: Running) -> App:
    return App(bridge.wire, "portal", secret="portal-secret", redirect_uri="https://portal.example.org/cb?tenant=a%2Fb")
