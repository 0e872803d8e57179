"""Row 72: guessing is limited, and successful sign-ins never are."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bridge.settings import Settings
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, LIMITED, Running, events
from tests.support.bridge.actors import FORM, App, Browser, Response
from tests.support.cas import cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas

LIMITS = {
    "client_failures_per_minute": "3",
    "address_failures_per_minute": "5",
    "bad_tokens_per_minute": "4",
    "bad_callbacks_per_minute": "4",
    "proxy_hops": "1",
}
OTHER_PARAMETERS = {"/token": {"grant_type": "authorization_code", "code": "x"}, "/introspect": {"token": "x"}}


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    """Return a bridge with low limits behind one proxy, at the start of a minute."""
    bridge = make_bridge(**LIMITS)
    bridge.clock.now -= bridge.clock.now % 60
    return bridge


def send_secret(
    bridge: Running, secret: str | None, *, client: str = "hub", at: str = "/token", address: str = "192.0.2.1"
) -> Response:
    """Send a token request with client_secret_post."""
    form = {"client_id": client, **OTHER_PARAMETERS.get(at, {"token": "x"})}
    form |= {} if secret is None else {"client_secret": secret}
    return bridge.wire.send("POST", at, headers=FORM | {"X-Forwarded-For": address}, body=urlencode(form))


@pytest.mark.parametrize("at", ["/token", "/introspect", "/revoke"])
def test_client_is_limited_after_failures_row72(bridge: Running, at: str) -> None:
    assert [send_secret(bridge, f"guess {n}", client="notes", at=at).status for n in range(4)] == [401, 401, 401, 429]
    stopped = send_secret(bridge, "the secret of notes", client="notes", at=at)
    assert stopped.status == 429, "the right secret must be rejected like a wrong one"
    assert stopped.json["error"] == "temporarily_unavailable"
    assert 0 < int(stopped.headers["Retry-After"]) <= 60
    assert stopped.headers["Cache-Control"] == "no-store"


def test_long_secret_is_never_limited_row72(bridge: Running) -> None:
    """Otherwise an attacker could lock a client out by failing with its client_id or from a shared address."""
    for n in range(40):
        send_secret(bridge, f"guess {n}", client=f"invented {n}")
        send_secret(bridge, f"guess {n}")
    assert send_secret(bridge, HUB_SECRET, at="/introspect").status == 200
    assert send_secret(bridge, "short").status == 429


def test_long_wrong_secrets_store_nothing(bridge: Running) -> None:
    for n in range(20):
        assert send_secret(bridge, secrets.token_hex(), client=f"invented {n}").status == 401
    assert bridge.store.purge(now=2**40)["failures"] == 0


def test_endpoints_share_the_limit_row72(bridge: Running) -> None:
    for at in ("/token", "/introspect", "/revoke"):
        assert send_secret(bridge, "wrong", at=at).status == 401
    assert send_secret(bridge, "wrong").status == 429


def test_limit_ends_after_a_minute_row72(bridge: Running) -> None:
    while send_secret(bridge, "wrong").status != 429:
        pass
    bridge.clock.advance(61)
    assert send_secret(bridge, HUB_SECRET, at="/introspect").status == 200


def test_same_client_elsewhere_is_not_limited_row72(bridge: Running) -> None:
    """Failures from another address do not lock a hub out."""
    while send_secret(bridge, "wrong", address="192.0.2.66").status != 429:
        pass
    assert send_secret(bridge, HUB_SECRET, at="/introspect", address="192.0.2.1").status == 200


def test_forged_forwarded_address_is_ignored_row72_row39(bridge: Running) -> None:
    """Only the last address of X-Forwarded-For counts, because the trusted proxy added it."""
    answers = [send_secret(bridge, "wrong", address=f"198.51.100.{n}, 192.0.2.1").status for n in range(4)]
    assert answers[-1] == 429


def test_without_proxy_setting_address_is_fixed_row72_row39(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(**{**LIMITS, "proxy_hops": "0"})
    assert [send_secret(bridge, "wrong", address=f"198.51.100.{n}").status for n in range(4)][-1] == 429


def test_one_address_with_many_clients_is_limited_row72(bridge: Running) -> None:
    assert [send_secret(bridge, "x", client=f"guessed-{n}").status for n in range(6)] == [401] * 5 + [429]


def test_ipv6_site_shares_one_limit_row72(bridge: Running) -> None:
    assert [send_secret(bridge, "x", address=f"2001:db8:0:1::{n}").status for n in range(4)][-1] == 429
    assert send_secret(bridge, HUB_SECRET, at="/introspect", address="2001:db8:0:2::1").status == 200


@pytest.mark.parametrize("spelled", ["hub", "%68ub", "h%75b", "hu%62"])
def test_client_id_encodings_share_one_limit_row72(bridge: Running, spelled: str) -> None:
    for _ in range(3):
        send_secret(bridge, "wrong")
    header = f"Basic {base64.b64encode(f'{spelled}:wrong'.encode()).decode()}"
    answer = bridge.wire.send(
        "POST", "/token", headers=FORM | {"Authorization": header, "X-Forwarded-For": "192.0.2.1"}, body="code=x"
    )
    assert answer.status == 429


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic YQ==", "Bearer x", "", "Digest a=b", "é", "Basic é"])
def test_unreadable_header_counts_as_failure_row72(bridge: Running, header: str) -> None:
    def ask() -> int:
        sent_headers = FORM | {"Authorization": header, "X-Forwarded-For": "192.0.2.1"}
        return bridge.wire.send("POST", "/introspect", headers=sent_headers, body="token=x").status

    assert [ask() for _ in range(4)] == [401, 401, 401, 429]


def test_public_clients_are_not_limited_row72(bridge: Running) -> None:
    """They have no secret to guess; their codes have 256 random bits."""
    while send_secret(bridge, "wrong", client="cli").status != 429:
        pass
    assert {send_secret(bridge, None, client="cli").status for _ in range(10)} == {400}


def test_other_errors_do_not_count_row72(bridge: Running) -> None:
    """An expired code is no guess at a secret."""
    assert {send_secret(bridge, HUB_SECRET).json["error"] for _ in range(20)} == {"invalid_grant"}


def test_bad_tokens_are_limited_and_good_ones_pass_row72(bridge: Running, browser: Browser, hub: App) -> None:
    good = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["access_token"]

    def ask(token: str) -> Response:
        sent_headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "192.0.2.1"}
        return bridge.wire.send("GET", "/userinfo", headers=sent_headers)

    assert [ask("bad").status for _ in range(6)] == [401, 401, 401, 401, 429, 429]
    assert ask("bad").headers["Retry-After"]
    assert ask(good).status == 200
    assert bridge.wire.send("GET", "/userinfo", headers={"X-Forwarded-For": "192.0.2.1"}).status == 401


def test_bad_callbacks_are_limited_and_good_ones_pass_row72(bridge: Running, browser: Browser, hub: App) -> None:
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    sent_headers = {"X-Forwarded-For": "192.0.2.1", "Accept": "text/html"}
    answers = [bridge.wire.send("GET", f"/cas/callback?state=x&ticket=ST-{n}", headers=sent_headers) for n in range(6)]
    assert [answer.status for answer in answers] == [400, 400, 400, 400, 429, 429]
    assert answers[-1].is_page
    assert answers[-1].headers["Retry-After"]
    assert hub.extract_code(browser.get(callback, **{"X-Forwarded-For": "192.0.2.1"}))


def made_up_ticket(bridge: Running, hub: App, *, address: str = "192.0.2.1") -> Response:
    """Begin a sign-in in a new browser, and return from CAS with a ticket that CAS does not know."""
    browser, headers = Browser(bridge.wire), {"X-Forwarded-For": address, "Accept": "text/html"}
    service = parse_qs(urlsplit(browser.get(hub.authorization_url(), **headers).location).query)["service"][0]
    return browser.get(f"{service}&ticket=ST-{secrets.token_hex(8)}", **headers)


def test_made_up_tickets_are_limited_before_cas(bridge: Running, hub: App, cas: ScriptedCas) -> None:
    """The first rejection of a sign-in counts too: it leads back to CAS, not to an error."""
    assert [made_up_ticket(bridge, hub).status for _ in range(6)] == [303] * 4 + [429] * 2
    assert len(cas.validations) == 4
    assert made_up_ticket(bridge, hub).headers["Retry-After"]


@pytest.mark.parametrize("answer", ["400 for any ticket", "an invalid response"])
def test_other_rejections_of_tickets_are_limited(bridge: Running, hub: App, cas: ScriptedCas, answer: str) -> None:
    cas.script = cas_scripts.reply_html(500) if answer.startswith("4") else cas_scripts.reply(b"<no/>")
    assert [made_up_ticket(bridge, hub).status for _ in range(5)] == [502] * 4 + [429]


def test_rejected_tickets_do_not_stop_other_addresses(bridge: Running, hub: App) -> None:
    for _ in range(5):
        made_up_ticket(bridge, hub)
    assert hub.extract_code(Browser(bridge.wire).sign_in(hub.authorization_url()))
    assert made_up_ticket(bridge, hub, address="192.0.2.2").status == 303


def test_many_addresses_together_are_limited_earlier(bridge: Running, hub: App, cas: ScriptedCas) -> None:
    for number in range(10):
        for _ in range(4):
            made_up_ticket(bridge, hub, address=f"198.51.100.{number}")
    cas.requests.clear()
    assert [made_up_ticket(bridge, hub, address="192.0.2.9").status for _ in range(3)] == [303, 429, 429]
    assert len(cas.validations) == 1


def test_lost_callbacks_do_not_stop_sign_ins(bridge: Running, browser: Browser, hub: App) -> None:
    """A campus with one address reloads many old callbacks."""
    headers = {"X-Forwarded-For": "192.0.2.1"}
    for number in range(20):
        bridge.wire.send("GET", f"/cas/callback?state=x&ticket=ST-{number}", headers=headers)
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url(), **headers))
    assert hub.extract_code(browser.get(callback, **headers))


def test_bridges_on_one_database_share_limits(make_bridge: MakeBridge, bridge: Running) -> None:
    other = make_bridge(**LIMITS)
    other.clock.now = bridge.clock.now
    assert [send_secret(one, "wrong").status for one in (bridge, other) * 2] == [401, 401, 401, 429]


@pytest.mark.parametrize("spelled", ["{}:{port}", "[{}]:{port}", '"{}"', " {} "])
def test_port_of_address_does_not_change_its_limit(bridge: Running, spelled: str) -> None:
    """Some proxies write the port of the client, and anyone can choose it."""

    def fail(address: str, port: int) -> int:
        return send_secret(bridge, "x", address=spelled.format(address, port=port)).status

    assert [fail("203.0.113.7", 5000 + n) for n in range(4)] == [401, 401, 401, 429]
    assert fail("203.0.113.8", 5000) == 401


def test_five_hundred_sign_ins_from_one_address_pass_row72(make_bridge: MakeBridge) -> None:
    """The limits are the default ones; half of the users also reload the callback."""
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
        sent_headers = campus | {"Authorization": f"Bearer {token}"}
        assert bridge.wire.send("GET", "/userinfo", headers=sent_headers).status == 200


def test_limited_caller_is_logged_without_secrets_row72_row73(bridge: Running, logged: list[str]) -> None:
    while send_secret(bridge, "a-guess-of-a-secret").status != 429:
        pass
    assert events(logged, "refused")[-1]["kind"] == "RateLimitExceeded"
    assert events(logged, "refused")[-1]["remote"] == "192.0.2.1"
    assert not any("a-guess-of-a-secret" in line for line in logged)
