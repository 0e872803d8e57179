"""The CAS callback is accepted once, and only in the browser that started the login (cas.md cases 16-23)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser
from tests.support.cas import cas_scripts, cas_xml
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

BAD_TICKETS = {
    "injection": "ticket=ST-1%26service%3Dhttps%3A%2F%2Fevil%2F%23",
    "line-break": "ticket=ST-1%0d%0aX",
    "element": "ticket=ST-%3Cx%2F%3E",
    "nul": "ticket=ST-1%00",
    "non-ascii": "ticket=ST-%C3%A9",
    "two": "ticket=ST-1&ticket=ST-2",
    "twice-the-same": "ticket=ST-1&ticket=ST-1",
    "proxy": "ticket=PT-1",
    "granting": "ticket=TGT-1",
    "long": f"ticket=ST-{'a' * 5000}",
    "empty": "ticket=",
    "prefix-alone": "ticket=ST-",
    "absent": "",
    "in-capitals": "TICKET=ST-1",
}


@pytest.mark.parametrize("query", [pytest.param(query, id=f"cas16-{name}") for name, query in BAD_TICKETS.items()])
def test_malformed_ticket_is_rejected_without_cas(browser: Browser, hub: App, cas: ScriptedCas, query: str) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    answer = browser.get(callback.partition("&ticket=")[0] + "&" + query)
    assert answer.status == 400
    assert answer.is_page
    assert not cas.validations
    assert hub.extract_code(browser.get(callback)), "the true ticket is still good"


def test_unusual_ticket_is_encoded_once_cas16(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    ticket = "ST-12-" + "a_b.c%3A%2F~d-" * 28 + "e"
    cas.script = cas_scripts.reply(cas_xml.signed_in("alice", ALICE))
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url())).partition("&ticket=")[0]
    browser.get(f"{callback}&ticket={ticket.replace('%', '%25')}")
    assert cas.validations[-1].value("ticket") == ticket


def test_ticket_in_another_browser_is_rejected_row38_cas21(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    with_no_login, with_another = Browser(bridge.wire), Browser(bridge.wire)
    with_another.get(hub.authorization_url())
    for victim in (with_no_login, with_another):
        answer = victim.get(callback)
        assert answer.status == 400
        assert "was started in another browser" in answer.text
        assert "__Host-passerelle-session" not in victim.cookies
    assert not cas.validations
    assert hub.extract_code(browser.get(callback)), "the original browser can still continue"


@pytest.mark.parametrize(
    "state", ["", "state=", "state=unknown", "state=%00", "state=a&state=b", "state=" + "s" * 9000]
)
def test_callback_without_state_is_rejected(browser: Browser, hub: App, cas: ScriptedCas, state: str) -> None:
    browser.get(hub.authorization_url())
    answer = browser.get(f"/cas/callback?ticket=ST-1&{state}")
    assert answer.status == 400
    assert answer.is_page
    assert not cas.requests


def test_ticket_of_another_login_fails_at_cas(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    mine, other = (browser.log_in_at_cas(browser.get(hub.authorization_url())) for _ in range(2))
    crossed = mine.partition("&ticket=")[0] + "&ticket=" + other.partition("&ticket=")[2]
    answer = browser.get(crossed)
    assert answer.status == 502
    assert len(cas.validations) == 1


def test_ticket_is_used_for_one_login_row38(bridge: Running, browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.script = cas_scripts.reply(cas_xml.signed_in("alice", ALICE))
    one, other = (browser.log_in_at_cas(browser.get(hub.authorization_url())) for _ in range(2))
    browser.get(one)
    browser.cookies.pop("__Host-passerelle-session")
    again = browser.get(other.partition("&ticket=")[0] + "&ticket=" + one.partition("&ticket=")[2])
    assert again.status == 400
    assert len(cas.validations) == 1


def test_pending_login_expires_after_ten_minutes(bridge: Running, browser: Browser, hub: App, cas: ScriptedCas) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    bridge.clock.advance(601)
    answer = browser.get(callback)
    assert answer.status == 400
    assert "has expired" in answer.text
    assert not cas.validations


def test_one_of_parallel_callbacks_logs_in_cas22(bridge: Running, browser: Browser, hub: App, cas: ScriptedCas) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    tabs = [Browser(bridge.wire) for _ in range(8)]
    for tab in tabs:
        tab.cookies |= browser.cookies
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda tab: tab.get(callback), tabs))
    assert statuses == [303] + [400] * 7
    assert len(cas.validations) == 1


def test_reload_with_session_continues_cas22(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    browser.get(callback)
    reloaded = browser.get(callback)
    assert reloaded.location.startswith("https://auth.example.org/authorize?")
    assert hub.redeem(hub.extract_code(browser.get(reloaded.location))).status == 200
    assert len(cas.validations) == 1


def test_replay_without_session_is_rejected_cas22(browser: Browser, hub: App) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    browser.get(callback)
    browser.cookies.pop("__Host-passerelle-session")
    answer = browser.get(callback)
    assert answer.status == 400
    assert "it is already complete" in answer.text


def test_used_ticket_restarts_login_once_cas19(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.script = cas_scripts.reply(cas_xml.failure("INVALID_TICKET"))
    restarted = browser.get(browser.log_in_at_cas(browser.get(hub.authorization_url())))
    second = browser.log_in_at_cas(restarted)
    cas.script = None
    assert hub.extract_code(browser.get(second))


def test_second_used_ticket_shows_a_page_cas19(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.script = cas_scripts.reply(cas_xml.failure("INVALID_TICKET", "Ticket 'ST-1' not recognized"))
    answer = browser.get(browser.log_in_at_cas(browser.sign_in(hub.authorization_url())))
    assert answer.status == 403
    assert "has expired or was already used" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text


def test_denied_user_is_reported_to_the_client(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.script = cas_scripts.reply(cas_xml.failure("UNAUTHORIZED_USER"))
    told = browser.sign_in(hub.authorization_url()).parameters
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", hub.state, "https://auth.example.org")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"prompt": "login"}, id="row60-prompt-login"),
        pytest.param({"prompt": "select_account"}, id="row60-select-account"),
        pytest.param({"max_age": "0"}, id="row60-max-age"),
    ],
)
@pytest.mark.parametrize("after", ["a made-up ticket, twice", "a made-up ticket, late"])
def test_fresh_login_is_enforced_cas23(
    bridge: Running, browser: Browser, hub: App, changes: Mapping[str, str], after: str
) -> None:
    """A user opens the callback in a browser with a session, without visiting CAS."""
    browser.sign_in(hub.authorization_url())
    bridge.clock.advance(5)
    callback = (
        browser.log_in_at_cas(browser.get(hub.authorization_url(**changes))).partition("&ticket=")[0]
        + "&ticket=ST-made-up"
    )
    if after.endswith("late"):
        bridge.clock.advance(601)
    else:
        browser.get(callback)
    answer = browser.get(callback)
    if answer.status == 303:
        answer = browser.get(answer.location)
    assert "code=" not in answer.headers.get("Location", "")


def test_removed_renew_is_detected_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """This CAS ignores renew at validation, but reports an older login."""
    cas.script = cas_scripts.reply(cas_xml.signed_in("alice", {**ALICE, "isFromNewLogin": ("false",)}))
    answer = browser.sign_in(hub.authorization_url(prompt="login"))
    if urlsplit(answer.headers.get("Location", "")).path == "/cas/login":
        answer = browser.get(browser.log_in_at_cas(answer))
    assert answer.status in (303, 403)
    assert "code=" not in answer.headers.get("Location", "")
    assert "__Host-passerelle-session" not in browser.cookies


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_callback_rejects_other_methods(browser: Browser, bridge: Running, hub: App, method: str) -> None:
    """The browser uses GET; CAS posts logout requests to the same URL (test_single_logout)."""
    answer = bridge.wire.send(method, "/cas/callback?ticket=ST-1&state=x", headers={"Accept": "text/html"})
    assert answer.status == 405
    assert answer.is_page
    assert "GET" in answer.headers["Allow"]


def test_rejections_are_logged_with_reason(browser: Browser, hub: App, logged: list[str]) -> None:
    browser.get("/cas/callback?ticket=ST-1&state=x")
    browser.get(hub.authorization_url())  # sets a login cookie
    browser.get("/cas/callback?ticket=ST-%3Cx%3E&state=x")
    kinds = [(event["kind"], event["level"]) for event in events(logged, "refused")]
    assert kinds == [("LoginNotFound", "warning"), ("TicketMalformed", "warning")]
    assert "ST-1" not in "".join(logged)


def test_head_request_does_not_consume_the_ticket(browser: Browser, hub: App) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    assert browser.wire.send("HEAD", callback, headers={"Cookie": cookies}).status == 405
    assert hub.extract_code(browser.get(callback)), "the ticket is still good"
