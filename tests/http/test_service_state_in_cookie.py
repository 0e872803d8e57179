"""A CAS that can register one exact service URL: `cas_service_state = "cookie"`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, ISSUER, Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ScriptedCas

SERVICE = f"{ISSUER}/cas/callback"
Begins = Callable[..., str]


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(cas_service_state="cookie")


@pytest.fixture
def browser(bridge: Running) -> Browser:
    return Browser(bridge.wire)


@pytest.fixture
def begins(bridge: Running) -> Begins:
    def begins(browser: Browser, app: App, **changes: str | None) -> str:
        """The service URL that CAS is told. The newest is told by whole seconds."""
        bridge.clock.advance(1)
        return parse_qs(urlsplit(browser.get(app.authorization_url(**changes)).location).query)["service"][0]

    return begins


def callback(browser: Browser, cas: ScriptedCas) -> str:
    """Where CAS leads to, with a fresh ticket."""
    ticket = cas.issue_ticket(SERVICE)
    browser.wire.secrets.add(ticket)
    return f"{SERVICE}?ticket={ticket}"


def test_cas_is_told_the_same_address_every_time(begins: Begins, browser: Browser, hub: App, cas: ScriptedCas) -> None:
    assert [begins(browser, hub) for _ in range(3)] == [SERVICE] * 3
    code = hub.extract_code(browser.get(callback(browser, cas)))
    assert hub.redeem(code).status == 200
    assert cas.validations[-1].value("service") == SERVICE


def test_the_newest_sign_in_is_the_one_that_goes_on(
    begins: Begins, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begins(browser, hub)
    begins(browser, portal)
    portal.extract_code(browser.get(callback(browser, cas)))


def test_two_tabs_at_once_both_come_through_cas21(
    begins: Begins, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begins(browser, hub)
    begins(browser, portal)
    reached = [browser.get(callback(browser, cas)).location.partition("?")[0] for _ in range(2)]
    assert sorted(reached) == sorted([hub.redirect_uri, portal.redirect_uri.partition("?")[0]])


@pytest.mark.parametrize("cookie", ["none", "another browser's"])
def test_a_ticket_without_the_cookie_of_this_browser_never_reaches_cas_cas21(
    begins: Begins, browser: Browser, hub: App, cas: ScriptedCas, cookie: str
) -> None:
    begins(browser, hub)
    victim = Browser(browser.wire)
    if cookie != "none":
        begins(victim, hub)
        victim.get(callback(victim, cas))
        cas.requests.clear()
    assert victim.get(callback(browser, cas)).status == 400
    assert not cas.validations
    assert victim.get(f"{SERVICE}?ticket=ST-1&state=x").status == 400


def test_one_ticket_takes_one_sign_in_and_a_reload_leads_on_cas22(
    begins: Begins, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begins(browser, hub)
    begins(browser, portal)
    back = callback(browser, cas)
    portal.extract_code(browser.get(back))
    again = browser.get(back)
    assert urlsplit(again.location).path == "/authorize"
    portal.extract_code(browser.get(again.location))
    hub.extract_code(browser.get(callback(browser, cas)))


def test_nobody_at_cas_is_an_answer_to_the_sign_in_that_asked_so_cas23(
    begins: Begins, browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    begins(browser, portal)
    assert begins(browser, hub, prompt="none") == SERVICE
    assert browser.get(SERVICE).parameters["error"] == "login_required"
    assert browser.get(SERVICE).status == 400, "there was one, and it has its answer"
    portal.extract_code(browser.get(callback(browser, cas)))


def test_no_sign_in_goes_on_after_its_time(
    begins: Begins, bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    begins(browser, hub)
    bridge.clock.advance(601)
    assert browser.get(callback(browser, cas)).status == 400
    assert not cas.validations


@pytest.fixture
def hub(bridge: Running) -> App:
    return App(bridge.wire, secret=HUB_SECRET)


@pytest.fixture
def portal(bridge: Running) -> App:
    return App(bridge.wire, "portal", secret="portal-secret", redirect_uri="https://portal.example.org/cb?tenant=a%2Fb")
