"""What an application can ask of a sign-in: that nobody is asked, or somebody afresh (OIDC Core §3.1.2.1)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.people import claims_in
from tests.http.world import HUB_SECRET, ISSUER, Running, events
from tests.support.bridge.actors import App, Browser, Response
from tests.support.bridge.html_forms import find_form
from tests.support.cas import cas_scripts, cas_xml
from tests.support.cas.scripted_cas import ALICE, ScriptedCas


def asked_of_cas(answer: Response) -> dict[str, str]:
    """What stands in the address of CAS's login page besides the service."""
    parts = urlsplit(answer.location)
    assert parts.path == "/cas/login", answer.location
    return {name: value for name, (value,) in parse_qs(parts.query).items() if name != "service"}


def goes_through_cas(browser: Browser, request: str) -> Response:
    return browser.get(browser.log_in_at_cas(browser.get(request)))


# Nobody may be asked anything


def test_prompt_none_asks_cas_to_ask_nothing_row59_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """Somebody who is signed in at CAS, but was never here."""
    to_cas = browser.get(hub.authorization_url(prompt="none"))
    assert asked_of_cas(to_cas) == {"gateway": "true"}
    assert hub.extract_code(browser.get(browser.log_in_at_cas(to_cas)))
    assert "renew" not in cas.validations[-1].query


def test_nobody_at_cas_is_login_required_row59_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    cas.signed_in = False
    told = goes_through_cas(browser, hub.authorization_url(prompt="none")).parameters
    assert (told["error"], told["state"], told["iss"]) == ("login_required", hub.state, ISSUER)
    assert "code" not in told
    assert not cas.validations


def test_prompt_none_never_goes_round_in_circles_cas23(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """The way back without a ticket is an answer however often it is taken; CAS is not asked again."""
    cas.signed_in = False
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url(prompt="none")))
    for _ in range(3):
        assert browser.get(callback).parameters["error"] == "login_required"
    assert len(cas.requests) == 1


def test_only_who_was_sent_with_gateway_may_come_back_without_a_ticket_cas23(
    browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    """Else every sign-in could be turned into a refusal from outside."""
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    answer = browser.get(callback.partition("&ticket=")[0])
    assert (answer.status, answer.is_page) == (400, True)
    assert hub.extract_code(browser.get(callback))


def test_an_unseen_sign_in_restarts_once_and_then_gives_up_cas19_cas23(
    browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    cas.script = cas_scripts.says(cas_xml.failure("INVALID_TICKET"))
    again = goes_through_cas(browser, hub.authorization_url(prompt="none"))
    assert asked_of_cas(again) == {"gateway": "true"}
    assert browser.get(browser.log_in_at_cas(again)).parameters["error"] == "login_required"
    assert len(cas.validations) == 2


def test_nobody_is_shown_a_page_when_cas_fails_row59(
    browser: Browser, hub: App, cas: ScriptedCas, logged: list[str]
) -> None:
    cas.script = cas_scripts.says_html(503)
    told = goes_through_cas(browser, hub.authorization_url(prompt="none")).parameters
    assert (told["error"], told["state"], told["iss"]) == ("temporarily_unavailable", hub.state, ISSUER)
    (event,) = events(logged, "sign_in_failed")
    assert (event["level"], event["kind"]) == ("error", "UpstreamMisconfigured")


def test_prompt_none_with_a_session_needs_no_cas_row59(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    browser.sign_in(hub.authorization_url())
    assert hub.extract_code(browser.get(hub.authorization_url(prompt="none")))
    assert len(cas.requests) == 2


@pytest.mark.parametrize("together", ["login", "consent", "select_account", "none login consent"])
def test_prompt_none_stands_alone_row59(browser: Browser, hub: App, cas: ScriptedCas, together: str) -> None:
    told = browser.get(hub.authorization_url(prompt=f"none {together}")).parameters
    assert told["error"] == "invalid_request"
    assert not cas.requests


# Somebody has to prove afresh who they are


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
def test_a_fresh_sign_in_is_dated_now_row60(
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
    assert second["sid"] == first["sid"], "the same session, proven again"


def test_max_age_is_counted_from_the_proof_and_not_from_the_cookie_row60(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    an_hour_ago = datetime.fromtimestamp(bridge.clock() - 3600, UTC).isoformat()
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": (an_hour_ago,)})
    browser.sign_in(hub.authorization_url())
    assert hub.extract_code(browser.get(hub.authorization_url(max_age="3700")))
    assert asked_of_cas(browser.get(hub.authorization_url(max_age="3500"))) == {"renew": "true"}


def test_max_age_comes_with_the_claim_auth_time_row60(bridge: Running, browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url(max_age="600")))
    auth_time = claims_in(hub.redeem(code).json["id_token"])["auth_time"]
    assert 0 <= bridge.clock() - auth_time < 10


def test_an_unseen_sign_in_cannot_be_a_fresh_one_row59_row60(browser: Browser, hub: App, cas: ScriptedCas) -> None:
    """Gateway and renew exclude each other (CAS protocol §2.1.1)."""
    told = browser.get(hub.authorization_url(prompt="none", max_age="60")).parameters
    assert told["error"] == "login_required"
    assert not cas.requests


def test_the_authorization_endpoint_keeps_every_parameter_of_a_post_row61(browser: Browser, hub: App) -> None:
    to_cas = browser.post("/authorize", hub.request(prompt="login", response_mode="form_post"))
    assert asked_of_cas(to_cas) == {"renew": "true"}
    page = browser.get(browser.log_in_at_cas(to_cas))
    assert find_form(page.text, hub.redirect_uri).fields["state"] == hub.state


# The user of an earlier ID token


@pytest.fixture
def hint(browser: Browser, hub: App) -> str:
    return str(hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["id_token"])


def test_the_hinted_user_gets_a_code_at_once(bridge: Running, browser: Browser, hub: App, hint: str) -> None:
    bridge.clock.advance(7200)
    assert hub.extract_code(browser.get(hub.authorization_url(prompt="none", id_token_hint=hint))), (
        "expired, and still good"
    )


def test_somebody_else_than_the_hinted_user_is_login_required_row59(
    browser: Browser, hub: App, cas: ScriptedCas, hint: str
) -> None:
    browser.cookies.clear()
    cas.sign_in_as("bob", {})
    browser.sign_in(hub.authorization_url())
    for prompt in ("none", None):
        told = goes_through_cas(browser, hub.authorization_url(prompt=prompt, id_token_hint=hint)).parameters
        assert told["error"] == "login_required"
        assert "code" not in told


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
def test_what_is_no_id_token_of_ours_hints_at_nobody_row62(browser: Browser, hub: App, hint: str, odd: str) -> None:
    """`hint` has signed the browser in."""
    told = goes_through_cas(browser, hub.authorization_url(prompt="none", id_token_hint=odd)).parameters
    assert told["error"] == "login_required"


# Request objects


@pytest.mark.parametrize("name", ["request", "request_uri", "registration"])
def test_request_objects_are_refused_by_their_own_code_before_anybody_signs_in_row58(
    browser: Browser, hub: App, cas: ScriptedCas, name: str
) -> None:
    """Ignoring them would answer another request than the one that was signed."""
    for value in ("https://hub.example.org/r", forged({"alg": "none"}, {"client_id": "hub"}), "\x00é"):
        told = browser.get(hub.authorization_url(**{name: value})).parameters
        assert told["error"] == f"{name}_not_supported"
    assert not cas.requests


# The issuer in every answer


@pytest.mark.parametrize(
    "changes", [{}, {"scope": "x"}, {"response_type": "token"}, {"prompt": "none", "max_age": "0"}]
)
@pytest.mark.parametrize("issuer", [ISSUER, "https://www.example.org/sign-in"])
def test_every_answer_names_the_issuer_as_discovery_does_row29_row40(
    make_bridge: MakeBridge, issuer: str, changes: dict[str, str]
) -> None:
    bridge = make_bridge(issuer=issuer)
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    answer = browser.get(hub.authorization_url(**changes))
    if urlsplit(answer.location).path == "/cas/login":
        answer = browser.get(browser.log_in_at_cas(answer))
    told = bridge.wire.send("GET", f"{issuer}/.well-known/openid-configuration").json
    assert answer.parameters["iss"] == told["issuer"] == issuer
    assert ("code" in answer.parameters) is (not changes)
