"""Authorization codes: single use, expiry, binding to the client, and revocation on reuse."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser


@pytest.fixture
def code(browser: Browser, hub: App) -> str:
    return hub.extract_code(browser.sign_in(hub.authorization_url()))


def test_code_is_redeemed_once_row16(hub: App, code: str) -> None:
    assert hub.redeem(code).status == 200
    second = hub.redeem(code)
    assert (second.status, second.json["error"]) == (400, "invalid_grant")


def test_code_reuse_revokes_token_row17(hub: App, code: str) -> None:
    token = hub.redeem(code).json["access_token"]
    assert hub.fetch_userinfo(token).status == 200
    hub.redeem(code)
    assert hub.fetch_userinfo(token).json["error"] == "invalid_token"


def test_spent_code_of_public_client_keeps_token(hub: App, cli: App, code: str) -> None:
    token = hub.redeem(code).json["access_token"]
    assert cli.redeem(code).json["error"] == "invalid_grant"
    assert hub.fetch_userinfo(token).status == 200


def test_late_code_reuse_revokes_token_row17(bridge: Running, hub: App, code: str) -> None:
    token = hub.redeem(code).json["access_token"]
    bridge.clock.advance(3000)
    bridge.store.purge(now=int(bridge.clock()))
    assert hub.fetch_userinfo(token).status == 200
    hub.redeem(code)
    assert hub.fetch_userinfo(token).status == 401


def test_code_reuse_keeps_other_tokens_of_session(browser: Browser, hub: App, portal: App, code: str) -> None:
    other = portal.redeem(portal.extract_code(browser.get(portal.authorization_url()))).json["access_token"]
    hub.redeem(code)
    hub.redeem(code)
    assert portal.fetch_userinfo(other).status == 200


def test_one_of_16_concurrent_redemptions_succeeds_row18(hub: App, code: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda _: hub.redeem(code), range(16)))
    assert statuses == [200] + [400] * 15


@pytest.mark.parametrize(("seconds", "status"), [(58, 200), (61, 400)])
def test_code_expires_after_a_minute_row19(bridge: Running, hub: App, code: str, seconds: int, status: int) -> None:
    bridge.clock.advance(seconds)
    assert hub.redeem(code).status == status


def test_code_of_other_client_is_rejected_and_spent_row20(hub: App, old: App, code: str) -> None:
    answer = old.redeem(code, code_verifier=hub.verifier, redirect_uri=hub.redirect_uri)
    assert answer.json["error"] == "invalid_grant"
    assert hub.redeem(code).json["error"] == "invalid_grant"


def test_unauthenticated_client_does_not_spend_code(hub: App, code: str) -> None:
    assert hub.redeem(code, client_secret="wrong").status == 401
    assert hub.redeem(code).status == 200


@pytest.mark.parametrize(
    "redirect_uri", [None, "", "https://hub.example.org/hub/oauth_callback/", "https://evil.example/"]
)
def test_redirect_uri_must_be_repeated_row7(hub: App, code: str, redirect_uri: str | None) -> None:
    assert hub.redeem(code, redirect_uri=redirect_uri).json["error"] == "invalid_grant"
    assert hub.redeem(code).json["error"] == "invalid_grant"  # row 21: spent


def test_omitted_redirect_uri_may_be_omitted_again_row7(browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url())
    codes = [hub.extract_code(browser.get(hub.authorization_url(redirect_uri=None))) for _ in range(2)]
    assert hub.redeem(codes[0]).status == 200
    assert hub.redeem(codes[1], redirect_uri="https://evil.example/").json["error"] == "invalid_grant"


def test_codes_and_tokens_have_128_bits_row22(hub: App, code: str) -> None:
    """43 characters of base64url are 256 bits."""
    token = hub.redeem(code).json["access_token"]
    assert len(code) == len(token) == 43
    assert code != token


def test_database_contains_no_credentials_row22(bridge: Running, browser: Browser, hub: App, code: str) -> None:
    hub.redeem(code)
    browser.get(hub.authorization_url())
    written = b"".join(path.read_bytes() for path in bridge.database.parent.glob(f"{bridge.database.name}*"))
    assert b"alice@example.org" in written
    # The service URL is stored in plain text, with the state in it, which is useless without the login cookie.
    assert not [secret for secret in bridge.wire.secrets if secret.encode() in written]


def test_reason_of_rejected_code_is_logged(hub: App, code: str, logged: list[str]) -> None:
    hub.redeem(code, code_verifier="w" * 43)
    (refused,) = events(logged, "token_refused")
    assert (refused["error"], refused["detail"]) == ("invalid_grant", "client hub: code_verifier does not match")
