"""A code is used once, soon, and by its own client; a second use takes back what the first gave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser


@pytest.fixture
def code(browser: Browser, hub: App) -> str:
    return hub.extract_code(browser.sign_in(hub.authorization_url()))


def test_a_code_is_redeemed_once_row16(hub: App, code: str) -> None:
    assert hub.redeem(code).status == 200
    second = hub.redeem(code)
    assert (second.status, second.json["error"]) == (400, "invalid_grant")


def test_a_second_redemption_revokes_the_token_row17(hub: App, code: str) -> None:
    token = hub.redeem(code).json["access_token"]
    assert hub.fetch_userinfo(token).status == 200
    hub.redeem(code)
    assert hub.fetch_userinfo(token).json["error"] == "invalid_token"


def test_a_replay_long_after_the_code_expired_still_revokes_row17(bridge: Running, hub: App, code: str) -> None:
    token = hub.redeem(code).json["access_token"]
    bridge.clock.advance(3000)
    bridge.store.purge(now=int(bridge.clock()))
    assert hub.fetch_userinfo(token).status == 200
    hub.redeem(code)
    assert hub.fetch_userinfo(token).status == 401


def test_other_tokens_of_the_session_survive_a_replay(browser: Browser, hub: App, portal: App, code: str) -> None:
    other = portal.redeem(portal.extract_code(browser.get(portal.authorization_url()))).json["access_token"]
    hub.redeem(code)
    hub.redeem(code)
    assert portal.fetch_userinfo(other).status == 200


def test_of_many_parallel_redemptions_one_succeeds_row18(hub: App, code: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda _: hub.redeem(code), range(16)))
    assert statuses == [200] + [400] * 15


@pytest.mark.parametrize(("seconds", "status"), [(58, 200), (61, 400)])
def test_a_code_lives_for_a_minute_row19(bridge: Running, hub: App, code: str, seconds: int, status: int) -> None:
    bridge.clock.advance(seconds)
    assert hub.redeem(code).status == status


def test_another_clients_code_is_refused_and_burnt_row20(hub: App, old: App, code: str) -> None:
    thief = old.redeem(code, code_verifier=hub.verifier, redirect_uri=hub.redirect_uri)
    assert thief.json["error"] == "invalid_grant"
    assert hub.redeem(code).json["error"] == "invalid_grant"


def test_a_client_that_cannot_prove_itself_does_not_burn_a_code(hub: App, code: str) -> None:
    assert hub.redeem(code, client_secret="wrong").status == 401
    assert hub.redeem(code).status == 200


@pytest.mark.parametrize(
    "redirect_uri", [None, "", "https://hub.example.org/hub/oauth_callback/", "https://evil.example/"]
)
def test_the_redirect_uri_has_to_be_repeated_row7(hub: App, code: str, redirect_uri: str | None) -> None:
    assert hub.redeem(code, redirect_uri=redirect_uri).json["error"] == "invalid_grant"
    assert hub.redeem(code).json["error"] == "invalid_grant"  # row 21: burnt


def test_a_redirect_uri_that_was_left_out_may_be_sent_later_row7(browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url())
    codes = [hub.extract_code(browser.get(hub.authorization_url(redirect_uri=None))) for _ in range(2)]
    assert hub.redeem(codes[0]).status == 200
    assert hub.redeem(codes[1], redirect_uri="https://evil.example/").json["error"] == "invalid_grant"


def test_codes_and_tokens_hold_at_least_128_bits_row22(hub: App, code: str) -> None:
    """43 characters of base64url are 256 bits; that they are random shows in none being alike."""
    token = hub.redeem(code).json["access_token"]
    assert len(code) == len(token) == 43
    assert code != token


def test_nothing_that_signs_anybody_in_stands_in_the_database_row22(
    bridge: Running, browser: Browser, hub: App, code: str
) -> None:
    hub.redeem(code)
    browser.get(hub.authorization_url())
    written = b"".join(path.read_bytes() for path in bridge.database.parent.glob(f"{bridge.database.name}*"))
    assert b"alice@example.org" in written, "the files hold what was stored"
    # The verifier and the client secret never get there; tickets, codes, tokens and cookies as hashes only. The
    # service URL has to be kept as it is, and with it the id of the login: useless without the browser's cookie.
    assert not [secret for secret in bridge.wire.secrets if secret.encode() in written]


def test_why_a_code_was_refused_is_in_the_log(hub: App, code: str, logged: list[str]) -> None:
    hub.redeem(code, code_verifier="w" * 43)
    (refused,) = events(logged, "token_refused")
    assert (refused["error"], refused["detail"]) == ("invalid_grant", "client hub: code_verifier does not match")
