"""Faults of a verified client are returned to it before a login."""

from __future__ import annotations

import re

import pytest

from tests.http.world import Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ScriptedCas

CHALLENGE = "a" * 43
REFUSED = [
    ("row8-token", "unsupported_response_type", {"response_type": "token"}),
    ("row8-id-token-token", "unsupported_response_type", {"response_type": "id_token token"}),
    ("row8-hybrid", "unsupported_response_type", {"response_type": "code id_token"}),
    ("row8-none", "unsupported_response_type", {"response_type": "none"}),
    ("row8-odd-characters", "unsupported_response_type", {"response_type": 'c"\\\x00öde' * 1000}),
    ("row51-no-response-type", "invalid_request", {"response_type": None}),
    ("row51-empty-response-type", "invalid_request", {"response_type": ""}),
    ("response-mode-fragment", "invalid_request", {"response_mode": "fragment"}),
    ("response-mode-unknown", "invalid_request", {"response_mode": "query.jwt"}),
    ("row10-no-challenge", "invalid_request", {"code_challenge": None, "code_challenge_method": None}),
    ("row11-plain", "invalid_request", {"code_challenge_method": "plain"}),
    ("row11-absent-method", "invalid_request", {"code_challenge_method": None}),
    ("row11-s256-in-lower-case", "invalid_request", {"code_challenge_method": "s256"}),
    ("row11-method-without-challenge", "invalid_request", {"code_challenge": None}),
    ("row14-short-challenge", "invalid_request", {"code_challenge": "a" * 42}),
    ("row14-long-challenge", "invalid_request", {"code_challenge": "a" * 44}),
    ("row14-padded-challenge", "invalid_request", {"code_challenge": "a" * 42 + "="}),
    ("row14-challenge-charset", "invalid_request", {"code_challenge": "a" * 42 + "ä"}),
    ("row14-challenge-with-line-break", "invalid_request", {"code_challenge": "a" * 43 + "\n"}),
    ("row52-unknown-scope", "invalid_scope", {"scope": "write:everything"}),
    ("row52-odd-scope", "invalid_scope", {"scope": '"\\\x00ö'}),
    ("row58-request", "request_not_supported", {"request": "e30.e30."}),
    ("row58-request-uri", "request_uri_not_supported", {"request_uri": "https://evil.example/r"}),
    ("row58-registration", "registration_not_supported", {"registration": "{}"}),
    ("row59-prompt-none-and-fresh", "login_required", {"prompt": "none", "max_age": "0"}),
    ("row59-none-and-login", "invalid_request", {"prompt": "none login"}),
    ("row59-unknown-prompt", "invalid_request", {"prompt": "create"}),
    ("row59-prompt-in-upper-case", "invalid_request", {"prompt": "NONE"}),
    ("max-age-negative", "invalid_request", {"max_age": "-1"}),
    ("max-age-no-number", "invalid_request", {"max_age": "ten"}),
    ("max-age-huge", "invalid_request", {"max_age": "9" * 5000}),
    ("claims-no-json", "invalid_request", {"claims": "{"}),
    ("claims-no-object", "invalid_request", {"claims": "[1]"}),
    ("long-claims", "invalid_request", {"claims": '{"userinfo": {' + " " * 5000 + "}}"}),
    ("max-age-other-digits", "invalid_request", {"max_age": "١٢"}),
    ("long-nonce", "invalid_request", {"nonce": "n" * 5000}),
    ("long-scope", "invalid_request", {"scope": "openid " * 1000}),
]


@pytest.mark.parametrize(
    ("error", "changes"), [pytest.param(error, changes, id=name) for name, error, changes in REFUSED]
)
def test_error_response_names_the_fault(
    browser: Browser, hub: App, cas: ScriptedCas, error: str, changes: dict[str, str | None]
) -> None:
    parameters = browser.get(hub.authorization_url(**changes)).parameters
    assert parameters["error"] == error
    assert parameters["state"] == changes.get("state", hub.state)  # row 31
    assert parameters["iss"] == "https://auth.example.org"  # row 29
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", parameters["error_description"])  # row 57
    assert set(parameters) == {"error", "error_description", "state", "iss"}
    assert not cas.requests


@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"],
)
def test_repeated_parameter_is_rejected_row49(browser: Browser, hub: App, name: str) -> None:
    usual = hub.request().get(name, "login" if name == "prompt" else "1")
    for second in (usual, ""):
        parameters = browser.get(hub.authorization_url((name, second), **{name: usual})).parameters
        assert parameters["error"] == "invalid_request"
        assert name in parameters["error_description"]


def test_public_client_needs_pkce_before_login_row9(browser: Browser, cli: App, cas: ScriptedCas) -> None:
    parameters = browser.get(cli.authorization_url(code_challenge=None, code_challenge_method=None)).parameters
    assert parameters["error"] == "invalid_request"
    assert not cas.requests


def test_unknown_parameters_are_ignored_row50(browser: Browser, hub: App) -> None:
    request = hub.authorization_url(
        ("resource", "a"), ("resource", "b"), claims='{"userinfo":{}}', ui_locales="fr", acr_values="1"
    )
    assert hub.extract_code(browser.sign_in(request))


def test_empty_parameters_count_as_absent(browser: Browser, hub: App) -> None:
    assert (
        "error"
        not in browser.sign_in(hub.authorization_url(prompt="", max_age="", response_mode="", request="")).parameters
    )


def test_state_and_nonce_may_have_4096_bytes(browser: Browser, hub: App) -> None:
    long = "Ö" * 2048
    answer = browser.sign_in(hub.authorization_url(state=long, nonce=long))
    assert answer.parameters["state"] == long


NUMBERS = " ".join(map(str, range(900)))
TOO_LONG = ("nonce", "ui_locales", "login_hint", "id_token_hint", "scope", "prompt", "acr_values", "claims")


def test_state_over_4096_bytes_is_not_repeated(bridge: Running, browser: Browser, hub: App) -> None:
    answer = browser.get(hub.authorization_url(state="s" * 4097), Accept="text/html")
    assert (answer.status, answer.is_page) == (400, True)
    assert "state is longer than 4096 bytes" in answer.text
    assert "s" * 99 not in answer.text
    assert sum(bridge.store.purge(now=2**40).values()) == 0, "nothing is stored"


@pytest.mark.parametrize("name", [*TOO_LONG, "max_age", "display", "code_challenge", "code_challenge_method"])
def test_parameter_over_4096_bytes_is_rejected(bridge: Running, browser: Browser, hub: App, name: str) -> None:
    told = browser.get(hub.authorization_url(**{name: "\N{GRINNING FACE}" * 1025})).parameters
    assert told["error"] == "invalid_request"
    assert told["error_description"] == f"The parameter {name} is longer than 4096 bytes."
    assert sum(bridge.store.purge(now=2**40).values()) == 0, "nothing is stored"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": "\x01" * 2100}, id="escaped"),
        pytest.param(
            {"acr_values": " ".join(map(str, range(900))), "state": "s" * 4000, "nonce": "n" * 4000}, id="list"
        ),
        pytest.param(dict.fromkeys(("state", "nonce", "login_hint", "ui_locales"), "x" * 4000), id="together"),
    ],
)
def test_request_over_12_kb_as_stored_is_rejected(browser: Browser, hub: App, changes: dict[str, str]) -> None:
    told = browser.get(hub.authorization_url(**changes)).parameters
    assert told["error_description"] == "The parameters take more than 12288 bytes together."


@pytest.mark.parametrize("changes", [{"prompt": "login " * 600}, {"acr_values": "1 " * 2000}])
def test_repeated_values_are_stored_once(bridge: Running, browser: Browser, hub: App, changes: dict[str, str]) -> None:
    browser.get(hub.authorization_url(**changes))
    with bridge.store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT max(length(request)) FROM pending_logins").scalar_one() < 1000


def test_lone_surrogate_in_claims_is_rejected(browser: Browser, hub: App) -> None:
    told = browser.get(hub.authorization_url(claims='{"userinfo": {"\\ud800": null}}')).parameters
    assert told["error"] == "invalid_request"


def test_grant_stores_only_what_tokens_need(bridge: Running, browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url(login_hint="h" * 4000, state="s" * 4000))
    with bridge.store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT max(length(request)) FROM grants").scalar_one() < 1000


def test_unknown_scopes_are_ignored_and_reported_row52(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url(scope="openid write offline_access email")))
    assert hub.redeem(code).json["scope"] == "openid email"


def test_unregistered_scopes_are_not_granted_row52(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url()))
    assert old.redeem(code).json["scope"] == "openid profile"
    assert browser.get(old.authorization_url(scope="email groups")).parameters["error"] == "invalid_scope"


def test_default_scope_is_every_registered_scope(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url(scope=None)))
    assert old.redeem(code).json["scope"] == "openid profile"


def test_prompt_none_with_session_returns_code_row59_cas23(
    browser: Browser, hub: App, portal: App, cas: ScriptedCas
) -> None:
    browser.sign_in(hub.authorization_url())
    assert portal.extract_code(browser.get(portal.authorization_url(prompt="none")))
    assert len(cas.requests) == 2


def test_prompt_none_rejects_session_over_max_age_row59(bridge: Running, browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url())
    bridge.clock.advance(61)
    assert browser.get(hub.authorization_url(prompt="none", max_age="60")).parameters["error"] == "login_required"
    assert "code" in browser.get(hub.authorization_url(prompt="none", max_age="3600")).parameters


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
def test_prompt_login_and_max_age_send_renew_to_cas_row60(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, changes: dict[str, str]
) -> None:
    browser.sign_in(hub.authorization_url())
    bridge.clock.advance(1)
    assert hub.extract_code(browser.sign_in(hub.authorization_url(**changes)))
    login, validation = list(cas.requests)[-2:]
    assert (login.value("renew"), validation.value("renew")) == ("true", "true")
