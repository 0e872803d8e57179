"""Who somebody is, for whoever holds an access token, within its scope (OIDC Core §5.3, RFC 6750)."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import FORM, App, Browser
from tests.support.cas.scripted_cas import ScriptedCas

ALL = {"sub", "preferred_username", "name", "given_name", "family_name", "email", "email_verified", "groups"}


def token_for(browser: Browser, app: App, **changes: str | None) -> str:
    return str(app.redeem(app.extract_code(browser.sign_in(app.authorization_url(**changes)))).json["access_token"])


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {"sub"}),
        ("openid profile", {"sub", "preferred_username", "name", "given_name", "family_name"}),
        ("openid email", {"sub", "email", "email_verified"}),
        ("openid groups", {"sub", "groups"}),
        ("openid profile email groups", ALL),
    ],
)
def test_the_scope_decides_what_is_told(browser: Browser, hub: App, scope: str, claims: set[str]) -> None:
    assert set(hub.fetch_userinfo(token_for(browser, hub, scope=scope)).json) == claims


def test_what_cas_did_not_release_is_absent_but_groups_are_empty(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {})
    assert hub.fetch_userinfo(token_for(browser, hub)).json == {"sub": "bob", "preferred_username": "bob", "groups": []}


def test_one_group_is_a_list_with_one_group(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {"groups": ("administration-students",)})
    assert hub.fetch_userinfo(token_for(browser, hub)).json["groups"] == ["administration-students"]


def test_odd_names_arrive_unchanged(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("zoë.o'neil+test@x", {"displayName": ('Zoë <b>"☃"</b> & co \\',), "groups": ("cn=a,dc=b;x", "ü")})
    told = hub.fetch_userinfo(token_for(browser, hub)).json
    assert (told["sub"], told["name"]) == ("zoë.o'neil+test@x", 'Zoë <b>"☃"</b> & co \\')
    assert told["groups"] == ["cn=a,dc=b;x", "ü"]


def test_attributes_are_mapped_by_the_settings(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge(attributes='{"groups": ["eduPersonAffiliation"]}', email_verified="false")
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    told = hub.fetch_userinfo(token_for(browser, hub)).json
    assert told["groups"] == ["staff", "member"]
    assert told["name"] == "Alice Liddell"
    assert told["email_verified"] is False


def test_a_post_with_the_token_in_the_body_works_row56(browser: Browser, hub: App) -> None:
    body = urlencode({"access_token": token_for(browser, hub)})
    assert hub.wire.send("POST", "/userinfo", headers=FORM, body=body).json["sub"] == "alice"


def test_a_post_with_the_token_in_the_header_works_row56(browser: Browser, hub: App) -> None:
    headers = {"Authorization": f"bearer {token_for(browser, hub)}"}
    assert hub.wire.send("POST", "/userinfo", headers=headers).json["sub"] == "alice"


def test_a_token_in_the_query_is_ignored_row55(browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    for method in ("GET", "POST"):
        answer = hub.wire.send(method, f"/userinfo?access_token={token}")
        assert answer.status == 401
        assert "error" not in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", [None, "Basic aHViOng=", "Token x", "", "DPoP x"])
def test_without_a_token_it_is_asked_for_one_row54(bridge: Running, header: str | None) -> None:
    answer = bridge.wire.send("GET", "/userinfo", headers={} if header is None else {"Authorization": header})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="passerelle"'
    assert answer.json == {}


@pytest.mark.parametrize("token", ["unknown", "", "a b", '"', "ü", "x" * 5000, "a,b", "\\", "a" * 43])
def test_an_unusable_token_is_invalid_token_row54(hub: App, token: str) -> None:
    answer = hub.fetch_userinfo(token)
    assert (answer.status, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="passerelle", error="invalid_token", error_desc')
    assert answer.headers["Cache-Control"] == "no-store"  # row 41


def test_a_token_without_openid_is_not_enough_row53_row54(browser: Browser, hub: App) -> None:
    answer = hub.fetch_userinfo(token_for(browser, hub, scope="profile email"))
    assert (answer.status, answer.json["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_two_tokens_at_once_are_refused(browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    headers = FORM | {"Authorization": f"Bearer {token}"}
    answer = hub.wire.send("POST", "/userinfo", headers=headers, body=urlencode({"access_token": token}))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    twice = hub.wire.send("POST", "/userinfo", headers=FORM, body=urlencode([("access_token", token)] * 2))
    assert twice.status == 400


def test_a_token_dies_after_its_lifetime_row74(bridge: Running, browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    bridge.clock.advance(3598)
    assert hub.fetch_userinfo(token).status == 200
    bridge.clock.advance(3)
    assert hub.fetch_userinfo(token).json["error"] == "invalid_token"


def test_a_code_an_id_token_or_a_cookie_is_no_access_token(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    id_token = hub.redeem(code).json["id_token"]
    for other in (code, id_token, browser.cookies["__Host-passerelle-session"]):
        assert hub.fetch_userinfo(other).status == 401


def test_answers_are_not_cached_row41(browser: Browser, hub: App) -> None:
    assert hub.fetch_userinfo(token_for(browser, hub)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods_are_a_405_in_json(bridge: Running, method: str) -> None:
    answer = bridge.wire.send(method, "/userinfo")
    assert answer.status == 405
    assert answer.json["error"] == "invalid_request"
