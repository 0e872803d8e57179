"""Row 72: whoever guesses is stopped; whoever does not is never in the way of anybody's sign-in."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from bridge.settings import Settings
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, LIMITED, Running, events
from tests.support.bridge.actors import FORM, App, Browser, Response

LIMITS = {
    "client_failures_per_minute": "3",
    "address_failures_per_minute": "5",
    "bad_tokens_per_minute": "4",
    "bad_callbacks_per_minute": "4",
    "proxy_hops": "1",
}
OTHER_PARAMETERS = {"/token": {"grant_type": "authorization_code", "code": "x"}, "/introspect": {"token": "x"}}


@pytest.fixture
def bridge(make_bridge: MakeBridge, monkeypatch: pytest.MonkeyPatch) -> Running:
    """With low limits, behind one proxy that says who calls."""
    bridge = make_bridge(**LIMITS)
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=bridge.clock))
    return bridge


def tries(
    bridge: Running, secret: str | None, *, client: str = "hub", at: str = "/token", address: str = "192.0.2.1"
) -> Response:
    """A client that shows a secret, in the body."""
    form = {"client_id": client, **OTHER_PARAMETERS.get(at, {"token": "x"})}
    form |= {} if secret is None else {"client_secret": secret}
    return bridge.wire.send("POST", at, headers=FORM | {"X-Forwarded-For": address}, body=urlencode(form))


@pytest.mark.parametrize("at", ["/token", "/introspect", "/revoke"])
def test_a_client_that_fails_too_often_waits_row72(bridge: Running, at: str) -> None:
    assert [tries(bridge, f"guess {n}", client="notes", at=at).status for n in range(4)] == [401, 401, 401, 429]
    stopped = tries(bridge, "the secret of notes", client="notes", at=at)
    assert stopped.status == 429, "the right secret must not be told from a wrong one now"
    assert stopped.json["error"] == "temporarily_unavailable"
    assert 0 < int(stopped.headers["Retry-After"]) <= 60
    assert stopped.headers["Cache-Control"] == "no-store"


def test_a_secret_that_nobody_can_guess_is_looked_at_whatever_failed_before_row72(bridge: Running) -> None:
    """Else anybody could lock an application out by failing in its name, or from an address that it shares."""
    for n in range(40):
        tries(bridge, f"guess {n}", client=f"invented {n}")
        tries(bridge, f"guess {n}")
    assert tries(bridge, HUB_SECRET, at="/introspect").status == 200
    assert tries(bridge, "short").status == 429


def test_the_endpoints_count_together_row72(bridge: Running) -> None:
    for at in ("/token", "/introspect", "/revoke"):
        assert tries(bridge, "wrong", at=at).status == 401
    assert tries(bridge, "wrong").status == 429


def test_after_a_minute_it_may_try_again_row72(bridge: Running) -> None:
    while tries(bridge, "wrong").status != 429:
        pass
    bridge.clock.advance(61)
    assert tries(bridge, HUB_SECRET, at="/introspect").status == 200


def test_the_same_client_elsewhere_goes_on_row72(bridge: Running) -> None:
    """Nobody can lock out a hub by failing in its name from another address."""
    while tries(bridge, "wrong", address="192.0.2.66").status != 429:
        pass
    assert tries(bridge, HUB_SECRET, at="/introspect", address="192.0.2.1").status == 200


def test_a_forged_first_address_does_not_make_a_new_caller_row72_row39(bridge: Running) -> None:
    """Of X-Forwarded-For only what our own proxy added counts, which is the last."""
    answers = [tries(bridge, "wrong", address=f"198.51.100.{n}, 192.0.2.1").status for n in range(4)]
    assert answers[-1] == 429


def test_without_a_proxy_in_the_settings_nobody_chooses_their_address_row72_row39(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(**{**LIMITS, "proxy_hops": "0"})
    assert [tries(bridge, "wrong", address=f"198.51.100.{n}").status for n in range(4)][-1] == 429


def test_one_address_cannot_try_client_after_client_row72(bridge: Running) -> None:
    assert [tries(bridge, "x", client=f"guessed-{n}").status for n in range(6)] == [401] * 5 + [429]


def test_an_ipv6_site_is_one_caller_row72(bridge: Running) -> None:
    assert [tries(bridge, "x", address=f"2001:db8:0:1::{n}").status for n in range(4)][-1] == 429
    assert tries(bridge, HUB_SECRET, at="/introspect", address="2001:db8:0:2::1").status == 200


@pytest.mark.parametrize("spelled", ["hub", "%68ub", "h%75b", "hu%62"])
def test_a_client_spelled_otherwise_is_the_same_client_row72(bridge: Running, spelled: str) -> None:
    for _ in range(3):
        tries(bridge, "wrong")
    header = f"Basic {base64.b64encode(f'{spelled}:wrong'.encode()).decode()}"
    answer = bridge.wire.send(
        "POST", "/token", headers=FORM | {"Authorization": header, "X-Forwarded-For": "192.0.2.1"}, body="code=x"
    )
    assert answer.status == 429


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic YQ==", "Bearer x", "", "Digest a=b", "é", "Basic é"])
def test_an_unreadable_header_is_a_failure_like_others_row72(bridge: Running, header: str) -> None:
    def ask() -> int:
        told = FORM | {"Authorization": header, "X-Forwarded-For": "192.0.2.1"}
        return bridge.wire.send("POST", "/introspect", headers=told, body="token=x").status

    assert [ask() for _ in range(4)] == [401, 401, 401, 429]


def test_public_clients_are_never_in_the_way_row72(bridge: Running) -> None:
    """They have no secret to guess; their codes are 256 bits of chance."""
    while tries(bridge, "wrong", client="cli").status != 429:
        pass
    assert {tries(bridge, None, client="cli").status for _ in range(10)} == {400}


def test_refusals_for_other_reasons_do_not_count_row72(bridge: Running) -> None:
    """A code that expired is no guess at a secret."""
    assert {tries(bridge, HUB_SECRET).json["error"] for _ in range(20)} == {"invalid_grant"}


def test_bad_access_tokens_are_told_to_slow_down_and_good_ones_pass_row72(
    bridge: Running, browser: Browser, hub: App
) -> None:
    good = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["access_token"]

    def ask(token: str) -> Response:
        told = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "192.0.2.1"}
        return bridge.wire.send("GET", "/userinfo", headers=told)

    assert [ask("bad").status for _ in range(6)] == [401, 401, 401, 401, 429, 429]
    assert ask("bad").headers["Retry-After"]
    assert ask(good).status == 200
    assert bridge.wire.send("GET", "/userinfo", headers={"X-Forwarded-For": "192.0.2.1"}).status == 401


def test_bad_callbacks_are_told_to_slow_down_and_good_ones_pass_row72(
    bridge: Running, browser: Browser, hub: App
) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    told = {"X-Forwarded-For": "192.0.2.1", "Accept": "text/html"}
    answers = [bridge.wire.send("GET", f"/cas/callback?state=x&ticket=ST-{n}", headers=told) for n in range(6)]
    assert [answer.status for answer in answers] == [400, 400, 400, 400, 429, 429]
    assert answers[-1].is_page
    assert answers[-1].headers["Retry-After"]
    assert hub.extract_code(browser.get(callback, **{"X-Forwarded-For": "192.0.2.1"}))


def test_five_hundred_people_behind_one_address_sign_in_at_nine_row72(make_bridge: MakeBridge) -> None:
    """With the limits as they are set by default; half of them reload the page of the callback as well."""
    defaults = {f"{name}_per_minute": str(Settings.model_fields[f"{name}_per_minute"].default) for name in LIMITED}
    bridge = make_bridge(proxy_hops="1", **defaults)
    campus = {"X-Forwarded-For": "192.0.2.1"}
    hub = App(bridge.wire, secret=HUB_SECRET)
    for number in range(500):
        browser = Browser(bridge.wire)
        callback = browser.log_in_at_cas(browser.get(hub.authorization_url(), **campus))
        code = hub.extract_code(browser.get(callback, **campus))
        if number % 2:
            assert browser.get(callback, **campus).status == 303
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": hub.redirect_uri,
            "client_id": "hub",
            "client_secret": HUB_SECRET,
            "code_verifier": hub.verifier,
        }
        token = bridge.wire.send("POST", "/token", headers=FORM | campus, body=urlencode(form)).json["access_token"]
        bridge.wire.secrets |= {token}
        told = campus | {"Authorization": f"Bearer {token}"}
        assert bridge.wire.send("GET", "/userinfo", headers=told).status == 200


def test_who_is_stopped_stands_in_the_log_without_what_they_tried_row72_row73(
    bridge: Running, logged: list[str]
) -> None:
    while tries(bridge, "a-guess-of-a-secret").status != 429:
        pass
    assert events(logged, "refused")[-1]["kind"] == "RateLimitExceeded"
    assert events(logged, "refused")[-1]["remote"] == "192.0.2.1"
    assert not any("a-guess-of-a-secret" in line for line in logged)
