"""Tests of prompt, max_age, id_token_hint and claims (OIDC Core §3.1.2.1)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.signed_in_user import claims_in
from tests.http.world import HUB_SECRET, ISSUER, Running, events
from tests.support.bridge.actors import App, Browser, Response
from tests.support.bridge.html_forms import find_form
from tests.support.cas import cas_scripts, cas_xml
from tests.support.cas.scripted_cas import ALICE, ScriptedCas


def asked_of_cas(answer: Response) -> dict[str, str]:
    """Return the parameters of the CAS login URL without the service."""
    parts = urlsplit(answer.location)
    assert parts.path == "/cas/login", answer.location
    return {name: value for name, (value,) in parse_qs(parts.query).items() if name != "service"}


def pass_through_cas(browser: Browser, request: str) -> Response:
    return browser.get(browser.log_in_at_cas(browser.get(request)))


# Requests with prompt=none


def test_prompt_none_sends_gateway_to_cas_row59_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """The user has a CAS session and no session at the bridge."""
    to_cas = browser.get(hub.authorization_url(prompt="none"))
    assert asked_of_cas(to_cas) == {"gateway": "true"}
    assert hub.extract_code(browser.get(browser.log_in_at_cas(to_cas)))
    assert "renew" not in cas.validations[-1].query


def test_no_cas_session_is_login_required_row59_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.signed_in = False
    parameters = pass_through_cas(browser, hub.authorization_url(prompt="none")).parameters
    assert (parameters["error"], parameters["state"], parameters["iss"]) == ("login_required", hub.state, ISSUER)
    assert "code" not in parameters
    assert not cas.validations


def test_prompt_none_never_loops_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """A callback without a ticket always gets an error response; the browser is not sent to CAS again."""
    cas.signed_in = False
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url(prompt="none")))
    for _ in range(3):
        assert browser.get(callback).parameters["error"] == "login_required"
    assert len(cas.requests) == 1


def test_only_gateway_login_returns_without_ticket_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """Otherwise an attacker could turn any login into an error."""
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    answer = browser.get(callback.partition("&ticket=")[0])
    assert (answer.status, answer.is_page) == (400, True)
    assert hub.extract_code(browser.get(callback))


def test_prompt_none_restarts_once_cas19_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.script = cas_scripts.reply(cas_xml.failure("INVALID_TICKET"))
    again = pass_through_cas(browser, hub.authorization_url(prompt="none"))
    assert asked_of_cas(again) == {"gateway": "true"}
    assert browser.get(browser.log_in_at_cas(again)).parameters["error"] == "login_required"
    assert len(cas.validations) == 2


def test_prompt_none_reports_cas_errors_to_the_client_row59(
    browser: Browser, hub: App, cas: ScriptedCas, logged: list[str]
) -> None:
    cas.script = cas_scripts.reply_html(503)
    parameters = pass_through_cas(browser, hub.authorization_url(prompt="none")).parameters
    assert (parameters["error"], parameters["state"], parameters["iss"]) == (
        "temporarily_unavailable",
        hub.state,
        ISSUER,
    )
    (event,) = events(logged, "sign_in_failed")
    assert (event["level"], event["kind"]) == ("error", "UpstreamMisconfigured")


def test_prompt_none_with_session_needs_no_cas_row59(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    browser.sign_in(hub.authorization_url())
    assert hub.extract_code(browser.get(hub.authorization_url(prompt="none")))
    assert len(cas.requests) == 2


@pytest.mark.parametrize("together", ["login", "consent", "select_account", "none login consent"])
def test_prompt_none_cannot_be_combined_row59(browser: Browser, hub: App, cas: ScriptedCas, together: str) -> None:
    parameters = browser.get(hub.authorization_url(prompt=f"none {together}")).parameters
    assert parameters["error"] == "invalid_request"
    assert not cas.requests


# Requests that force a new login


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
def test_forced_login_has_current_auth_time_row60(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, changes: dict[str, str]
) -> None:
    first = claims_in(hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["id_token"])
    bridge.clock.advance(1000)
    now = datetime.fromtimestamp(bridge.clock(), UTC)
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (now.isoformat(),)})
    to_cas = browser.get(hub.authorization_url(**changes))
    assert asked_of_cas(to_cas) == {"renew": "true"}
    code = hub.extract_code(browser.get(browser.log_in_at_cas(to_cas)))
    assert cas.validations[-1].value("renew") == "true"
    second = claims_in(hub.redeem(code).json["id_token"])
    assert second["auth_time"] == int(bridge.clock()) > first["auth_time"]
    assert second["sid"] == first["sid"], "the session is renewed, not replaced"


def test_slow_cas_clock_does_not_repeat_forced_login(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    behind = datetime.fromtimestamp(bridge.clock() - 90, UTC).isoformat()
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (behind,), "isFromNewLogin": ("true",)})
    browser.sign_in(hub.authorization_url(max_age="60"))
    token = hub.redeem(hub.extract_code(browser.get(hub.authorization_url(max_age="60")))).json["id_token"]
    assert claims_in(token)["auth_time"] == int(bridge.clock())


def test_silent_revalidation_keeps_time_of_forced_login(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    an_hour_ago = datetime.fromtimestamp(bridge.clock() - 3600, UTC).isoformat()
    browser.sign_in(hub.authorization_url(prompt="login"))
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (an_hour_ago,)})
    hint = json.dumps({"id_token": {"acr": {"essential": True, "value": "mfa"}}})
    browser.sign_in(hub.authorization_url(claims=hint))  # not satisfied by the session, so CAS is visited
    token = hub.redeem(hub.extract_code(browser.get(hub.authorization_url()))).json["id_token"]
    assert claims_in(token)["auth_time"] == int(bridge.clock())


def test_max_age_counts_from_the_login_not_the_cookie_row60(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    an_hour_ago = datetime.fromtimestamp(bridge.clock() - 3600, UTC).isoformat()
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (an_hour_ago,)})
    browser.sign_in(hub.authorization_url())
    assert hub.extract_code(browser.get(hub.authorization_url(max_age="3700")))
    assert asked_of_cas(browser.get(hub.authorization_url(max_age="3500"))) == {"renew": "true"}


def test_max_age_adds_auth_time_claim_row60(bridge: Running, browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url(max_age="600")))
    auth_time = claims_in(hub.redeem(code).json["id_token"])["auth_time"]
    assert 0 <= bridge.clock() - auth_time < 10


def test_prompt_none_cannot_force_a_login_row59_row60(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """Gateway and renew are mutually exclusive (CAS protocol §2.1.1)."""
    parameters = browser.get(hub.authorization_url(prompt="none", max_age="60")).parameters
    assert parameters["error"] == "login_required"
    assert not cas.requests


def test_post_request_keeps_every_parameter_row61(browser: Browser, hub: App) -> None:
    to_cas = browser.post("/authorize", hub.request(prompt="login", response_mode="form_post"))
    assert asked_of_cas(to_cas) == {"renew": "true"}
    page = browser.get(browser.log_in_at_cas(to_cas))
    assert find_form(page.text, hub.redirect_uri).fields["state"] == hub.state


# id_token_hint


@pytest.fixture
def hint(browser: Browser, hub: App) -> str:
    return str(hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["id_token"])


def test_hinted_user_gets_a_code(bridge: Running, browser: Browser, hub: App, hint: str) -> None:
    bridge.clock.advance(7200)
    assert hub.extract_code(browser.get(hub.authorization_url(prompt="none", id_token_hint=hint))), (
        "expired, and still good"
    )


def test_other_user_than_hinted_is_login_required_row59(
    browser: Browser, hub: App, cas: ScriptedCas, hint: str
) -> None:
    browser.cookies.clear()
    cas.sign_in_as("bob", {})
    browser.sign_in(hub.authorization_url())
    for prompt in ("none", None):
        parameters = pass_through_cas(browser, hub.authorization_url(prompt=prompt, id_token_hint=hint)).parameters
        assert parameters["error"] == "login_required"
        assert "code" not in parameters


def forged(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)), "AA"]
    )


@pytest.mark.parametrize(
    "odd",
    [
        "x",
        "é☃",
        "..",
        "a.b.c.d.e",
        "\x00" * 40,
        forged({"alg": "none"}, {"iss": ISSUER, "sub": "alice"}),
        forged({"alg": "HS256"}, {"iss": ISSUER, "sub": "alice"}),
        forged({"alg": "RS256", "crit": 1}, {"sub": "alice"}),
        forged({"alg": ["RS256"], "kid": {}}, {"sub": "alice"}),
        "e30" * 1300,
    ],
)
def test_invalid_hint_matches_no_user_row62(browser: Browser, hub: App, hint: str, odd: str) -> None:
    """The fixture `hint` has created the session."""
    parameters = pass_through_cas(browser, hub.authorization_url(prompt="none", id_token_hint=odd)).parameters
    assert parameters["error"] == "login_required"


# Request objects


@pytest.mark.parametrize("name", ["request", "request_uri", "registration"])
def test_request_objects_are_rejected_before_login_row58(
    browser: Browser, hub: App, cas: ScriptedCas, name: str
) -> None:
    """Ignoring them would process a different request than the signed one."""
    for value in ("https://hub.example.org/r", forged({"alg": "none"}, {"client_id": "hub"}), "\x00é"):
        parameters = browser.get(hub.authorization_url(**{name: value})).parameters
        assert parameters["error"] == f"{name}_not_supported"
    assert not cas.requests


# iss in every response


@pytest.mark.parametrize(
    "changes", [{}, {"scope": "x"}, {"response_type": "token"}, {"prompt": "none", "max_age": "0"}]
)
@pytest.mark.parametrize("issuer", [ISSUER, "https://www.example.org/sign-in"])
def test_every_response_names_the_issuer_row29_row40(
    make_bridge: MakeBridge, issuer: str, changes: dict[str, str]
) -> None:
    bridge = make_bridge(issuer=issuer)
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    answer = browser.get(hub.authorization_url(**changes))
    if urlsplit(answer.location).path == "/cas/login":
        answer = browser.get(browser.log_in_at_cas(answer))
    metadata = bridge.wire.send("GET", f"{issuer}/.well-known/openid-configuration").json
    assert answer.parameters["iss"] == metadata["issuer"] == issuer
    assert ("code" in answer.parameters) is (not changes)
