"""Tests of an issuer with a path, such as `https://example.org/sso`."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bridge.settings import setting_fault
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.html_forms import parse_forms, parse_tags

HOST = "https://example.org"
ISSUER = f"{HOST}/sso"


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(issuer=ISSUER)


def hub_of(wire: Wire) -> App:
    return App(wire, secret=HUB_SECRET)


def test_sign_in_and_out_stay_below_the_path(bridge: Running) -> None:
    browser, hub = Browser(bridge.wire), hub_of(bridge.wire)
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    assert hub.fetch_userinfo(hub.redeem(code).json["access_token"]).json["sub"] == "alice"

    page = browser.get(f"{ISSUER}/")
    addresses = [tag[1].get("href") or tag[1].get("src") for tag in parse_tags(page.text)]
    led_to = [form.action for form in parse_forms(page.text)] + [address for address in addresses if address]
    assert led_to
    assert [address for address in led_to if not address.startswith("/sso/")] == []
    assert [form for form in parse_forms(browser.get(f"{ISSUER}/logout").text) if form.action != "/sso/logout"] == []


def test_only_probes_and_well_known_are_outside_the_path(bridge: Running) -> None:
    outside = {rule.rule for rule in bridge.app.url_map.iter_rules() if not rule.rule.startswith("/sso/")}
    assert outside == {"/healthz", "/readyz", "/metrics", "/.well-known/oauth-authorization-server/sso"}


def test_cookies_have_path_root_and_the_path_in_their_name(bridge: Running) -> None:
    browser = Browser(bridge.wire)
    browser.sign_in(hub_of(bridge.wire).authorization_url())
    assert {"__Host-passerelle-login.sso", "__Host-passerelle-session.sso"} <= set(browser.cookies)
    assert all(name.endswith(".sso") for name in browser.cookies)


def test_two_bridges_on_one_host_have_separate_sessions(
    make_bridge: MakeBridge, bridge: Running, tmp_path: Path
) -> None:
    database = Path(shutil.copy(bridge.database, tmp_path / "other.sqlite3"))
    others = [bridge, make_bridge(issuer=f"{HOST}/sso-test", database=database)]
    browsers = [Browser(each.wire) for each in others]
    browsers[1].cookies = browsers[0].cookies  # one shared browser
    for each, browser in zip(others, browsers, strict=True):
        hub = hub_of(each.wire)
        hub.extract_code(browser.sign_in(hub.authorization_url()))
    for each, browser in zip(others, browsers, strict=True):
        hub = hub_of(each.wire)
        hub.extract_code(browser.get(hub.authorization_url()))  # immediately, without CAS

    page = browsers[1].get(f"{HOST}/sso-test/")
    (form,) = (form for form in parse_forms(page.text) if form.action.endswith("/sign-out-everywhere"))
    browsers[1].post(form.action, form.fields)
    hub = hub_of(bridge.wire)
    hub.extract_code(browsers[0].get(hub.authorization_url()))
    assert urlsplit(browsers[1].get(hub_of(others[1].wire).authorization_url()).location).path == "/cas/login"


def test_different_paths_have_different_cookie_names(make_bridge: MakeBridge) -> None:
    names = []
    for path in ("/a/b", "/a.b", "/a-b", "/a", "/a/b/c"):
        bridge = make_bridge(issuer=f"{HOST}{path}")
        browser = Browser(bridge.wire)
        browser.sign_in(hub_of(bridge.wire).authorization_url())
        names += list(browser.cookies)
    assert len(names) == len(set(names)) == 3 * 5, names


@pytest.mark.parametrize("path", ["/a/b", "/a.b", "/~x", "/A-b_c", "/static", "/metrics"])
def test_sign_in_works_below_any_valid_path(make_bridge: MakeBridge, path: str) -> None:
    bridge = make_bridge(issuer=f"{HOST}{path}")
    browser, hub = Browser(bridge.wire), hub_of(bridge.wire)
    hub.extract_code(browser.sign_in(hub.authorization_url()))
    hub.extract_code(browser.get(hub.authorization_url()))


@pytest.mark.parametrize("path", ["/%7Ex", "/a;b", "/a//b", "/./a", "/a/..", "//a", "/a:b", "/<x>", "/{x}"])
def test_ambiguous_issuer_path_is_rejected(path: str) -> None:
    assert "PASSERELLE_ISSUER: " in (setting_fault("issuer", f"{HOST}{path}") or "")
