"""A stolen code is of no use without the verifier that only its application holds (RFC 7636, S256 alone)."""

from __future__ import annotations

import pytest

from tests.support.bridge.actors import App, Browser


def test_the_right_verifier_redeems(browser: Browser, cli: App) -> None:
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
def test_a_wrong_verifier_is_refused(browser: Browser, hub: App, verifier: str | None) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    refused = hub.redeem(code, code_verifier=verifier)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


def test_the_challenge_itself_is_no_verifier_row11(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    assert hub.redeem(code, code_verifier=hub.challenge).json["error"] == "invalid_grant"


def test_a_wrong_verifier_burns_the_code_row21(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    hub.redeem(code, code_verifier="w" * 43)
    assert hub.redeem(code).json["error"] == "invalid_grant"


def test_an_excused_client_redeems_without_pkce_row10(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url(code_challenge=None, code_challenge_method=None)))
    assert old.redeem(code, code_verifier=None).status == 200


def test_a_verifier_without_a_challenge_is_refused_row13(browser: Browser, old: App) -> None:
    """Else whoever strips the challenge from the request could inject a code of their own (downgrade)."""
    code = old.extract_code(browser.sign_in(old.authorization_url(code_challenge=None, code_challenge_method=None)))
    assert old.redeem(code).json["error"] == "invalid_grant"


def test_an_excused_client_that_sends_a_challenge_is_held_to_it_row12(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url()))
    assert old.redeem(code, code_verifier=None).json["error"] == "invalid_grant"
