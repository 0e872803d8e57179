"""Tests of one complete sign-in."""

from __future__ import annotations

import json

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running, events
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.cas.scripted_cas import ScriptedCas


def test_cas_user_gets_signed_in_at_the_application(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    tokens = hub.redeem(code)
    assert tokens.status == 200
    assert hub.fetch_userinfo(tokens.json["access_token"]).json == {
        "sub": "alice",
        "preferred_username": "alice",
        "name": "Alice Liddell",
        "given_name": "Alice",
        "family_name": "Liddell",
        "email": "alice@example.org",
        "email_verified": True,
        "groups": ["staff", "jupyter-admins"],
    }


def test_cas_validates_the_service_url_it_was_given(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    browser.sign_in(hub.authorization_url())
    login, validation = cas.requests
    assert validation.value("service") == login.value("service")
    assert validation.path == "/cas/p3/serviceValidate"
    assert "renew" not in login.query | validation.query


def test_session_returns_code_without_cas(browser: Browser, hub: App, portal: App, cas: ScriptedCas) -> None:
    browser.sign_in(hub.authorization_url())
    assert portal.extract_code(browser.get(portal.authorization_url()))
    assert len(cas.requests) == 2


def test_session_ends_after_its_lifetime(bridge: Running, browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url())
    bridge.clock.advance(8 * 3600 + 1)
    browser.log_in_at_cas(browser.get(hub.authorization_url()))


def test_authorization_endpoint_accepts_post_row61(browser: Browser, hub: App) -> None:
    callback = browser.log_in_at_cas(browser.post("/authorize", hub.request()))
    assert hub.extract_code(browser.get(callback))
    assert hub.extract_code(browser.post("/authorize", hub.request()))


@pytest.mark.parametrize(
    "state", ["a b+c%20d&e=f;g/?#", "Zoë ☃ \U0001f6b2", "%41%zz", "line\r\nSet-Cookie: a=b", "nul\x00", "'\"<>\\`{}|^"]
)
def test_state_is_returned_unchanged_row31(browser: Browser, hub: App, state: str) -> None:
    assert browser.sign_in(hub.authorization_url(state=state)).parameters["state"] == state
    assert browser.get(hub.authorization_url(state=state)).parameters["state"] == state
    assert browser.get(hub.authorization_url(state=state, response_type="token")).parameters["state"] == state


def test_no_state_is_returned_without_one(browser: Browser, hub: App) -> None:
    assert set(browser.sign_in(hub.authorization_url(state=None)).parameters) == {"code", "iss"}


def test_every_redirect_is_a_303_row32(browser: Browser, hub: App) -> None:
    """`Response.location` asserts the status: after a POST, 307 would repeat the form, and 302 might."""
    to_cas = browser.post("/authorize", hub.request())
    back = browser.get(browser.log_in_at_cas(to_cas))
    refused = browser.post("/authorize", hub.request(scope="nothing"))
    assert to_cas.location
    assert back.location
    assert refused.location


def test_redirects_have_no_body(browser: Browser, hub: App) -> None:
    assert browser.sign_in(hub.authorization_url()).body == b""


def test_cookies_are_host_bound_and_http_only_row37(browser: Browser, hub: App) -> None:
    begun = browser.get(hub.authorization_url())
    done = browser.get(browser.log_in_at_cas(begun))
    names = []
    for line in (*begun.headers.getlist("Set-Cookie"), *done.headers.getlist("Set-Cookie")):
        facts = {fact.strip().lower() for fact in line.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= facts
        assert not any(fact.startswith("domain") for fact in facts)
        names += [] if "max-age=0" in facts else [line.partition("=")[0]]
    assert names[0] == "__Host-passerelle-login"
    assert names[1].startswith("__Host-passerelle-login-")
    assert names[2:] == ["__Host-passerelle-session"]


def test_new_sign_in_changes_the_session_id_row37(browser: Browser, hub: App) -> None:
    browser.cookies["__Host-passerelle-session"] = "planted-by-somebody-else"
    browser.sign_in(hub.authorization_url())
    first = browser.cookies["__Host-passerelle-session"]
    browser.sign_in(hub.authorization_url(prompt="login"))
    assert len({"planted-by-somebody-else", first, browser.cookies["__Host-passerelle-session"]}) == 3


def test_concurrent_sign_ins_in_two_tabs_succeed_cas21(browser: Browser, hub: App, portal: App) -> None:
    one, other = browser.get(hub.authorization_url()), browser.get(portal.authorization_url())
    callbacks = browser.log_in_at_cas(one), browser.log_in_at_cas(other)
    assert portal.extract_code(browser.get(callbacks[1]))
    assert hub.extract_code(browser.get(callbacks[0]))


def begin_in_tabs(browser: Browser, hub: App, tabs: int) -> list[str]:
    """Open tabs that send no cookie yet, and return their callback URLs; the browser then has all cookies."""
    fresh = [Browser(browser.wire) for _ in range(tabs)]
    callbacks = [tab.log_in_at_cas(tab.get(hub.authorization_url())) for tab in fresh]
    for tab in fresh:
        browser.cookies |= tab.cookies
    return callbacks


@pytest.mark.parametrize("order", [1, -1], ids=["first tab first", "last tab first"])
def test_five_restored_tabs_sign_in_cas21(browser: Browser, hub: App, order: int) -> None:
    for callback in begin_in_tabs(browser, hub, 5)[::order]:
        assert hub.extract_code(browser.get(callback))


def test_five_restored_tabs_share_one_session(bridge: Running, browser: Browser, hub: App) -> None:
    for callback in begin_in_tabs(browser, hub, 5):
        assert hub.extract_code(browser.get(callback))
    assert len(bridge.store.sessions.list_active(now=int(bridge.clock()))) == 1


def test_cookies_of_thirty_tabs_fit_in_a_header(browser: Browser, hub: App) -> None:
    last = begin_in_tabs(browser, hub, 30)[-1]
    assert sum(len(f"{name}={value}; ") for name, value in browser.cookies.items()) < 4096
    assert hub.extract_code(browser.get(last))


def test_later_sign_ins_add_no_cookie(browser: Browser, hub: App) -> None:
    browser.get(hub.authorization_url())
    before = set(browser.cookies)
    for _ in range(5):
        browser.get(hub.authorization_url())
    assert set(browser.cookies) == before


@pytest.mark.parametrize("forged", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Forwarded-Prefix"])
def test_forged_host_header_changes_no_url_row39_cas20(browser: Browser, hub: App, forged: str) -> None:
    value = {"X-Forwarded-Proto": "http", "Forwarded": "host=evil.example;proto=http"}.get(forged, "evil.example")
    begun = browser.get(hub.authorization_url(), **{forged: value})
    callback = browser.log_in_at_cas(begun)
    back = browser.get(callback, **{forged: value})
    assert back.parameters["iss"] == "https://auth.example.org"
    assert "evil" not in begun.location + callback + back.location
    assert "http%3A" not in begun.location.partition("service=")[2]


@pytest.mark.parametrize("path", ["/cas//callback", "//cas/callback", "/static//bridge.css"])
def test_no_url_is_built_from_the_host_header_row39(bridge: Running, path: str) -> None:
    """Werkzeug's own redirects use it: they lead to http and repeat the query, which may contain a ticket."""
    answer = bridge.wire.send("GET", f"{path}?ticket=ST-1&state=x", headers={"Host": "evil.example"})
    assert "Location" not in answer.headers


def test_issuer_with_path_works_row40(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="https://www.example.org/sign-in")
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    assert hub.fetch_userinfo(tokens["access_token"]).json["sub"] == "alice"
    assert bridge.wire.send("GET", "/authorize").status == 404


def test_http_issuer_on_loopback_has_plain_cookies(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="http://127.0.0.1:8000")
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    assert hub.extract_code(browser.sign_in(hub.authorization_url()))
    assert {"passerelle-login", "passerelle-session"} <= set(browser.cookies)
    assert all(name.startswith("passerelle-") for name in browser.cookies)


def test_login_continues_after_a_restart(make_bridge: MakeBridge) -> None:
    before = make_bridge()
    browser, hub = Browser(before.wire), App(before.wire, secret=HUB_SECRET)
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    after = make_bridge()
    browser.wire = hub.wire = Wire(after.wire.issuer, app=after.app)
    tokens = hub.redeem(hub.extract_code(browser.get(callback))).json
    assert hub.fetch_userinfo(tokens["access_token"]).json["sub"] == "alice"


def test_client_removed_during_login_gets_no_code(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    before = make_bridge()
    browser, hub = Browser(before.wire), App(before.wire, secret=HUB_SECRET)
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    browser.wire = make_bridge(clients="[]").wire
    answer = browser.get(callback)
    assert answer.status == 400
    assert answer.is_page
    assert not cas.validations


@pytest.mark.parametrize("sent", [True, False], ids=["redirect-uri-sent", "redirect-uri-omitted"])
def test_redirect_uri_removed_during_login_gets_no_code(
    make_bridge: MakeBridge, cas: ScriptedCas, *, sent: bool
) -> None:
    before = make_bridge()
    browser, hub = Browser(before.wire), App(before.wire, secret=HUB_SECRET)
    changes = {} if sent else {"redirect_uri": None}
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url(**changes)))
    moved = {"client_id": "hub", "client_secret": HUB_SECRET, "redirect_uris": ["https://moved.example.org/cb"]}
    browser.wire = make_bridge(clients=json.dumps([moved])).wire
    answer = browser.get(callback)
    assert answer.status == 400
    assert answer.is_page
    assert not cas.validations


def test_decisions_are_logged_with_names(browser: Browser, hub: App, logged: list[str]) -> None:
    hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url())))
    (signed_in,) = events(logged, "signed_in")
    (issued,) = events(logged, "token_issued")
    assert (signed_in["client"], signed_in["subject"]) == ("hub", "alice")
    assert signed_in["ticket"].startswith("ST-…")
    assert issued["client"] == "hub"
