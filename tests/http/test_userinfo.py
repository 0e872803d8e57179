"""Tests of the userinfo endpoint (OIDC Core §5.3, RFC 6750)."""

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
def test_scope_decides_the_claims(browser: Browser, hub: App, scope: str, claims: set[str]) -> None:
    assert set(hub.fetch_userinfo(token_for(browser, hub, scope=scope)).json) == claims


def test_unreleased_attributes_are_absent_but_groups_empty(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {})
    assert hub.fetch_userinfo(token_for(browser, hub)).json == {"sub": "bob", "preferred_username": "bob", "groups": []}


def test_single_group_is_a_list(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {"groups": ("administration-students",)})
    assert hub.fetch_userinfo(token_for(browser, hub)).json["groups"] == ["administration-students"]


def test_special_characters_in_names_are_unchanged(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("zoë.o'neil+test@x", {"displayName": ('Zoë <b>"☃"</b> & co \\',), "groups": ("cn=a,dc=b;x", "ü")})
    claims = hub.fetch_userinfo(token_for(browser, hub)).json
    assert (claims["sub"], claims["name"]) == ("zoë.o'neil+test@x", 'Zoë <b>"☃"</b> & co \\')
    assert claims["groups"] == ["cn=a,dc=b;x", "ü"]


def test_attribute_mapping_applies(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge(attributes='{"groups": ["eduPersonAffiliation"]}', email_verified="false")
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    claims = hub.fetch_userinfo(token_for(browser, hub)).json
    assert claims["groups"] == ["staff", "member"]
    assert claims["name"] == "Alice Liddell"
    assert claims["email_verified"] is False


def test_post_with_token_in_body_works_row56(browser: Browser, hub: App) -> None:
    body = urlencode({"access_token": token_for(browser, hub)})
    assert hub.wire.send("POST", "/userinfo", headers=FORM, body=body).json["sub"] == "alice"


def test_post_with_token_in_header_works_row56(browser: Browser, hub: App) -> None:
    headers = {"Authorization": f"bearer {token_for(browser, hub)}"}
    assert hub.wire.send("POST", "/userinfo", headers=headers).json["sub"] == "alice"


def test_token_in_query_is_ignored_row55(browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    for method in ("GET", "POST"):
        answer = hub.wire.send(method, f"/userinfo?access_token={token}")
        assert answer.status == 401
        assert "error" not in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", [None, "Basic aHViOng=", "Token x", "", "DPoP x"])
def test_missing_token_is_challenged_row54(bridge: Running, header: str | None) -> None:
    answer = bridge.wire.send("GET", "/userinfo", headers={} if header is None else {"Authorization": header})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="passerelle"'
    assert answer.json == {}


@pytest.mark.parametrize("token", ["unknown", "", "a b", '"', "ü", "x" * 5000, "a,b", "\\", "a" * 43])
def test_unusable_token_is_invalid_token_row54(hub: App, token: str) -> None:
    answer = hub.fetch_userinfo(token)
    assert (answer.status, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="passerelle", error="invalid_token", error_desc')
    assert answer.headers["Cache-Control"] == "no-store"  # row 41


def test_openid_scope_is_required_row53_row54(browser: Browser, hub: App) -> None:
    answer = hub.fetch_userinfo(token_for(browser, hub, scope="profile email"))
    assert (answer.status, answer.json["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_two_tokens_are_rejected(browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    headers = FORM | {"Authorization": f"Bearer {token}"}
    answer = hub.wire.send("POST", "/userinfo", headers=headers, body=urlencode({"access_token": token}))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    twice = hub.wire.send("POST", "/userinfo", headers=FORM, body=urlencode([("access_token", token)] * 2))
    assert twice.status == 400


def test_token_expires_row74(bridge: Running, browser: Browser, hub: App) -> None:
    token = token_for(browser, hub)
    bridge.clock.advance(3598)
    assert hub.fetch_userinfo(token).status == 200
    bridge.clock.advance(3)
    assert hub.fetch_userinfo(token).json["error"] == "invalid_token"


def test_other_secrets_are_not_access_tokens(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    id_token = hub.redeem(code).json["id_token"]
    for other in (code, id_token, browser.cookies["__Host-passerelle-session"]):
        assert hub.fetch_userinfo(other).status == 401


def test_responses_are_not_cached_row41(browser: Browser, hub: App) -> None:
    assert hub.fetch_userinfo(token_for(browser, hub)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods_return_405_json(bridge: Running, method: str) -> None:
    answer = bridge.wire.send(method, "/userinfo")
    assert answer.status == 405
    assert answer.json["error"] == "invalid_request"
