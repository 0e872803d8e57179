"""Tests of error responses: pages, JSON and security headers."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser, Wire

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ["/", "/authorize", "/authorize?client_id=unknown", "/cas/callback", "/nowhere", "/authorize/deeper", "/token"]


class Addresses(HTMLParser):
    """Collects every URL of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":  # a link loads nothing
            return
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]


def get(wire: Wire, path: str, **headers: str) -> Any:
    return wire.send("GET", path, headers=headers or HTML)


@pytest.mark.parametrize("path", PAGES)
def test_pages_forbid_frames_and_referrers_row33_row34(bridge: Running, path: str) -> None:
    answer = get(bridge.wire, path)
    assert answer.is_page
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["frame-ancestors"] == policy["default-src"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == "'none'"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_no_foreign_content_or_script_row33(bridge: Running, path: str) -> None:
    page = Addresses()
    page.feed(get(bridge.wire, path).text)
    assert page.found == ["/static/bridge.css", "/static/theme.css"]
    assert not page.tags & {"script", "iframe", "object", "embed"}
    for address in page.found:
        assert get(bridge.wire, address).headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize("path", PAGES[1:])
def test_error_page_has_the_request_id_of_the_log(bridge: Running, logged: list[str], path: str) -> None:
    answer = get(bridge.wire, path)
    number = answer.headers["X-Request-Id"]
    assert re.search(f"<code>{number}</code>", answer.text)
    if path.startswith(("/authorize?", "/cas")):
        assert [event["request_id"] for event in events(logged, "refused")] == [number]


def test_every_request_has_its_own_id(bridge: Running) -> None:
    assert len({get(bridge.wire, "/nowhere").headers["X-Request-Id"] for _ in range(20)}) == 20


def test_request_cannot_choose_its_id(bridge: Running) -> None:
    answer = get(bridge.wire, "/nowhere", **{"X-Request-Id": "<script>"})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html; charset=utf-8"),
        (HTML["Accept"], "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ('";=,;q=x', None),
    ],
)
def test_unknown_address_responds_in_accepted_format(bridge: Running, accept: str, kind: str | None) -> None:
    answer = get(bridge.wire, "/nowhere", Accept=accept)
    assert answer.status == 404
    assert kind is None or answer.headers["Content-Type"] == kind


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_api_errors_are_json_for_any_accept_header(bridge: Running, path: str) -> None:
    answer = bridge.wire.send("POST", path, headers={"Accept": "text/html"})
    assert answer.status in (400, 401)
    assert isinstance(answer.json, dict)


@pytest.mark.parametrize("path", ["/authorize", "/cas/callback?ticket=ST-1&state=x"])
def test_browser_errors_are_pages_for_any_accept_header(bridge: Running, path: str) -> None:
    assert get(bridge.wire, path, Accept="application/json").is_page


def test_unexpected_error_is_a_500_without_details(
    bridge: Running, browser: Browser, hub: App, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("internal-detail")

    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    for intention in ("begin_with_code", "redeem_code"):
        monkeypatch.setattr(type(bridge.store.grants), intention, fails)
    page, answer = browser.get(hub.authorization_url()), hub.redeem(code)
    assert (page.status, answer.status) == (500, 500)
    assert page.is_page
    assert answer.json["error"] == "server_error"
    for body in (page.text, answer.text):
        assert "internal-detail" not in body
        assert "Traceback" not in body
    assert all("internal-detail" in event["exception"] for event in events(logged, "unexpected_error"))
    assert len(events(logged, "unexpected_error")) == 2


def test_error_pages_explain_the_next_step(bridge: Running) -> None:
    assert "Contact the support of that application" in get(bridge.wire, "/authorize?client_id=unknown").text
    assert "Go back to the application and sign in again" in get(bridge.wire, "/cas/callback?ticket=ST-1").text


def test_start_page_explains_the_address(bridge: Running) -> None:
    answer = get(bridge.wire, "/")
    assert answer.status == 200
    assert "You are not signed in" in answer.text


def test_options_and_head_are_harmless(bridge: Running) -> None:
    for path in ("/authorize", "/token", "/userinfo", "/cas/callback", "/.well-known/openid-configuration"):
        assert bridge.wire.send("OPTIONS", path).status == 200
    assert bridge.wire.send("HEAD", "/").body == b""


def test_error_page_leads_back_to_application(browser: Browser, hub: App) -> None:
    page = browser.get(hub.authorization_url(redirect_uri="https://evil.example/cb")).text
    assert '<a class="button" href="https://hub.example.org/">Back to JupyterHub</a>' in page


def test_error_page_without_client_leads_to_start_page(browser: Browser, hub: App) -> None:
    page = browser.get(hub.authorization_url(client_id="nobody")).text
    assert '<a class="button" href="/">To the start page</a>' in page
