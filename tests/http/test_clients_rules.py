"""Changes of managed clients in running bridges, and the access rules of clients."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.oauth.clients import RELOAD_SECONDS
from tests.http.conftest import MakeBridge
from tests.http.world import Running, environment
from tests.support.bridge.actors import FORM, App, Browser, Response
from tests.support.cas.scripted_cas import ScriptedCas

REDIRECT = "https://wiki.example.org/cb"


def command(running: Running, *words: str) -> str:
    """Run `passerelle clients` on the database of a running bridge."""
    variables = environment("https://sso.example.org/cas", running.database)
    result = CliRunner().invoke(main, ["clients", *words], env=variables)
    assert result.exit_code == 0, result.output
    return result.stdout


def add_wiki(running: Running, *words: str) -> App:
    added = json.loads(command(running, "add", "Wiki", "--id", "wiki", "--redirect-uri", REDIRECT, "--json", *words))
    return App(running.wire, "wiki", secret=added["client_secret"], redirect_uri=REDIRECT)


def accepts_client(running: Running, app: App) -> bool:
    """Return whether the bridge redirects the application's users to CAS."""
    return Browser(running.wire).get(app.authorization_url()).status == 303


def introspect(app: App, token: str) -> dict[str, Any]:
    form = {"token": token, "client_id": app.client_id, "client_secret": app.secret or ""}
    return app.wire.send("POST", "/introspect", headers=FORM, body=urlencode(form)).json


def test_running_bridges_load_new_client_within_seconds(make_bridge: MakeBridge) -> None:
    running = [make_bridge(), make_bridge()]
    probe = App(running[0].wire, "wiki", redirect_uri=REDIRECT)
    assert not any(accepts_client(each, probe) for each in running)
    app = add_wiki(running[0])
    for each in running:
        each.clock.advance(RELOAD_SECONDS)
        assert accepts_client(each, app)
    token = app.redeem(app.extract_code(Browser(app.wire).sign_in(app.authorization_url()))).json["access_token"]
    assert app.fetch_userinfo(token).json["sub"] == "alice"


def test_disabled_tokens_stay_revoked_after_enabling(make_bridge: MakeBridge) -> None:
    one, two = make_bridge(), make_bridge()
    app = add_wiki(one)
    browser = Browser(one.wire)
    one.clock.advance(RELOAD_SECONDS)
    two.clock.advance(RELOAD_SECONDS)
    token = app.redeem(app.extract_code(browser.sign_in(app.authorization_url()))).json["access_token"]
    assert "Revoked grants: 1" in command(one, "disable", "wiki")
    assert app.fetch_userinfo(token).status == 401, "its tokens are revoked at once"
    late = app.extract_code(browser.get(app.authorization_url()))  # this bridge has not reloaded the clients yet
    for each in (one, two):
        each.clock.advance(RELOAD_SECONDS)
        assert not accepts_client(each, app)
    assert app.redeem(late).status == 401
    command(one, "enable", "wiki")
    one.clock.advance(RELOAD_SECONDS)
    assert accepts_client(one, app)
    assert app.fetch_userinfo(token).status == 401
    assert app.redeem(late).status == 400
    assert introspect(app, token) == {"active": False}


def test_removed_client_leaves_no_tokens_to_its_successor(make_bridge: MakeBridge) -> None:
    running = make_bridge()
    app, browser = add_wiki(running), Browser(running.wire)
    running.clock.advance(RELOAD_SECONDS)
    token = app.redeem(app.extract_code(browser.sign_in(app.authorization_url()))).json["access_token"]
    assert "Revoked grants: 1" in command(running, "remove", "wiki", "--yes")
    # This bridge has not reloaded the clients yet, so it still issues codes.
    late = app.redeem(app.extract_code(browser.get(app.authorization_url()))).json["access_token"]
    running.clock.advance(RELOAD_SECONDS)
    assert not accepts_client(running, app)
    successor = add_wiki(running)
    running.clock.advance(RELOAD_SECONDS)
    assert introspect(successor, token) == introspect(successor, late) == {"active": False}


def accepts_secret(running: Running, app: App, secret: str) -> bool:
    """Introspect an unknown token, which succeeds for every authenticated client."""
    app.wire.secrets.add(secret)
    form = {"token": "none", "client_id": app.client_id, "client_secret": secret}
    running.clock.advance(RELOAD_SECONDS)
    return app.wire.send("POST", "/introspect", headers=FORM, body=urlencode(form)).status == 200


def test_rotation_keeps_two_secrets_until_it_ends(make_bridge: MakeBridge) -> None:
    running = make_bridge()
    app = add_wiki(running)
    first = app.secret or ""
    assert accepts_secret(running, app, first)
    second = json.loads(command(running, "rotate-secret", "wiki", "--keep-old", "--json"))["client_secret"]
    assert (accepts_secret(running, app, first), accepts_secret(running, app, second)) == (True, True)
    command(running, "rotate-secret", "wiki", "--drop-old")
    assert (accepts_secret(running, app, first), accepts_secret(running, app, second)) == (False, True)
    third = json.loads(command(running, "rotate-secret", "wiki", "--json"))["client_secret"]
    assert (accepts_secret(running, app, second), accepts_secret(running, app, third)) == (False, True)


def test_edited_redirect_uri_replaces_the_old_one_row1(make_bridge: MakeBridge) -> None:
    running = make_bridge()
    app = add_wiki(running)
    command(running, "edit", "wiki", "--redirect-uri", "https://new.example.org/cb")
    running.clock.advance(RELOAD_SECONDS)
    assert not accepts_client(running, app)
    assert accepts_client(running, App(running.wire, "wiki", redirect_uri="https://new.example.org/cb"))


def test_client_credentials_client_needs_no_redirect_uri(make_bridge: MakeBridge) -> None:
    running = make_bridge()
    words = ["--grant-type", "client_credentials", "--scope", "jobs:read", "--pairwise"]
    added = json.loads(command(running, "add", "Cron", "--id", "cron", "--json", *words))
    running.clock.advance(RELOAD_SECONDS)
    app = App(running.wire, "cron", secret=added["client_secret"])
    form = {"grant_type": "client_credentials", "client_id": "cron", "client_secret": app.secret or ""}
    assert app.request_token(form.items()).json["scope"] == "jobs:read"


def test_unreadable_client_does_not_affect_others(make_bridge: MakeBridge, logged: list[str]) -> None:
    from bridge.store import StoredClient

    running = make_bridge()
    for document in ("", "null", '{"client_id": "odd", "from_the_future": 1}'):
        running.store.clients.put(StoredClient(client_id="odd", document=document, disabled=False), now=0)
        running.clock.advance(RELOAD_SECONDS)
        assert accepts_client(running, App(running.wire))
        assert not accepts_client(running, App(running.wire, "odd"))
    assert any("client_unreadable" in line for line in logged)


# --- access rules


def restricted(make_bridge: MakeBridge, **rules: Any) -> Running:
    entry = {
        "client_id": "wiki",
        "client_name": "The Wiki",
        "client_secret": "wiki-secret",
        "redirect_uris": [REDIRECT],
    }
    return make_bridge(
        clients=json.dumps([entry | rules]), support_contact="help@example.org", attributes='{"groups": ["groups"]}'
    )


def sign_in(running: Running, **changes: str) -> Response:
    app = App(running.wire, "wiki", secret="wiki-secret", redirect_uri=REDIRECT)
    return Browser(running.wire).sign_in(app.authorization_url(**changes))


@pytest.mark.parametrize(
    ("rules", "attributes", "is_allowed"),
    [
        pytest.param({"allowed_groups": ["admin", "x"]}, {"groups": ("admin",)}, True, id="group"),
        pytest.param({"allowed_groups": ["admin"]}, {"groups": ("administration-student",)}, False, id="part-of-group"),
        pytest.param({"allowed_groups": ["admin"]}, {"groups": ("Admin", "admin ,x")}, False, id="other-case"),
        pytest.param({"allowed_groups": ["admin"]}, {}, False, id="no-group"),
        pytest.param({"allowed_groups": ["admin"]}, {"memberOf": ("admin",)}, False, id="unmapped-attribute"),
        pytest.param(
            {"allowed_attributes": {"eduPersonAffiliation": ["staff", "faculty"]}},
            {"eduPersonAffiliation": ("student", "faculty")},
            True,
            id="attribute",
        ),
        pytest.param(
            {"allowed_attributes": {"urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ["staff"]}},
            {"edupersonaffiliation": ("staff",)},
            True,
            id="attribute-alias",
        ),
        pytest.param(
            {"allowed_attributes": {"eduPersonAffiliation": ["staff"], "ou": ["math"]}},
            {"eduPersonAffiliation": ("staff",), "ou": ("physics",)},
            False,
            id="one-of-two-attributes",
        ),
        pytest.param(
            {"allowed_attributes": {"ou": ["math"]}, "allowed_groups": ["a"]},
            {"ou": ("math",)},
            False,
            id="attribute-without-group",
        ),
        pytest.param({"allowed_attributes": {"ou": ["math"]}}, {"ou": ("mathematics",)}, False, id="part-of-value"),
        pytest.param({"allowed_attributes": {"ou": ["math"]}}, {}, False, id="no-attribute"),
        pytest.param({}, {}, True, id="no-rules"),
    ],
)
def test_access_rules_on_groups_and_attributes(
    make_bridge: MakeBridge, cas: ScriptedCas, rules: dict[str, Any], attributes: dict[str, Any], is_allowed: bool
) -> None:
    cas.sign_in_as("bob", attributes)
    assert (sign_in(restricted(make_bridge, **rules)).status == 303) is is_allowed


def test_denied_user_sees_the_support_contact(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {})
    page = sign_in(restricted(make_bridge, allowed_attributes={"ou": ["math"]}))
    assert (page.status, page.is_page) == (403, True)
    assert "bob" in page.text
    assert "The Wiki" in page.text
    assert "help@example.org" in page.text


def test_denied_user_with_prompt_none_gets_access_denied(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    cas.sign_in_as("bob", {})
    answer = sign_in(restricted(make_bridge, allowed_groups=["admin"]), prompt="none")
    assert answer.parameters["error"] == "access_denied"
