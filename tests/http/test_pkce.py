"""Tests of PKCE: a stolen code is useless without the verifier (RFC 7636, S256 only)."""

from __future__ import annotations

import pytest

from tests.support.bridge.actors import App, Browser


def test_correct_verifier_redeems_the_code(browser: Browser, cli: App) -> None:
    assert cli.redeem(cli.extract_code(browser.sign_in(cli.authorization_url()))).status == 200


@pytest.mark.parametrize("length", [43, 128])
def test_verifiers_of_every_allowed_length_redeem_row14(browser: Browser, hub: App, length: int) -> None:
    hub.verifier = "aB3-._~" * 20
    hub.verifier = hub.verifier[:length]
    assert hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).status == 200


@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param(None, id="row12-none"),
        pytest.param("", id="row12-empty"),
        pytest.param("w" * 43, id="row12-another"),
        pytest.param("s" * 42, id="row14-short"),
        pytest.param("l" * 129, id="row14-long"),
        pytest.param("ü" * 43, id="row14-charset"),
        pytest.param("v" * 43 + "\n", id="row14-line-break"),
        pytest.param("v" * 43 + "\x00", id="row14-nul"),
    ],
)
def test_wrong_verifier_is_rejected(browser: Browser, hub: App, verifier: str | None) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    refused = hub.redeem(code, code_verifier=verifier)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


def test_challenge_is_not_a_verifier_row11(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    assert hub.redeem(code, code_verifier=hub.challenge).json["error"] == "invalid_grant"


def test_wrong_verifier_consumes_the_code_row21(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    hub.redeem(code, code_verifier="w" * 43)
    assert hub.redeem(code).json["error"] == "invalid_grant"


def test_client_without_required_pkce_redeems_row10(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url(code_challenge=None, code_challenge_method=None)))
    assert old.redeem(code, code_verifier=None).status == 200


def test_verifier_without_challenge_is_rejected_row13(browser: Browser, old: App) -> None:
    """Otherwise an attacker who removes the challenge could inject a code (downgrade)."""
    code = old.extract_code(browser.sign_in(old.authorization_url(code_challenge=None, code_challenge_method=None)))
    assert old.redeem(code).json["error"] == "invalid_grant"


def test_optional_challenge_is_enforced_row12(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url()))
    assert old.redeem(code, code_verifier=None).json["error"] == "invalid_grant"
