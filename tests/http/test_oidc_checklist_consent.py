"""Tests of consent (OIDC Core §3.1.2.4) and of Form Post Response Mode."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import CLIENTS, ISSUER, Running
from tests.support.bridge.actors import App, Browser, Response
from tests.support.bridge.html_forms import find_form, parse_forms
from tests.support.cas.scripted_cas import ScriptedCas


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    """Return a bridge without any stored consent."""
    return make_bridge()


@pytest.fixture
def page(browser: Browser, asks: App) -> Response:
    answer = browser.sign_in(asks.authorization_url(scope="openid email"))
    assert answer.status == 200
    return answer


def decide(browser: Browser, page: Response, decision: str, **changes: str) -> Response:
    return browser.post("/consent", find_form(page.text, "/consent").fields | {"decision": decision} | changes)


def test_consent_is_asked_once_row32(browser: Browser, asks: App, page: Response) -> None:
    """`extract_code` asserts the 303."""
    tokens = asks.redeem(asks.extract_code(decide(browser, page, "allow"))).json
    assert asks.fetch_userinfo(tokens["access_token"]).json["email"] == "alice@example.org"
    assert asks.extract_code(browser.get(asks.authorization_url(scope="openid email")))
    assert asks.extract_code(browser.get(asks.authorization_url(scope="openid")))


def test_additional_scope_requires_consent(browser: Browser, asks: App, page: Response) -> None:
    decide(browser, page, "allow")
    for more in ({"scope": "openid email profile"}, {"scope": "openid", "claims": '{"id_token":{"name":null}}'}):
        assert find_form(browser.get(asks.authorization_url(**more)).text, "/consent")


def test_denied_consent_is_reported_row29_row31_row32(browser: Browser, asks: App, page: Response) -> None:
    parameters = decide(browser, page, "deny").parameters
    assert (parameters["error"], parameters["state"], parameters["iss"]) == ("access_denied", asks.state, ISSUER)
    assert find_form(browser.get(asks.authorization_url(scope="openid email")).text, "/consent"), (
        "and is not remembered"
    )


def test_prompt_none_returns_consent_required_row59(browser: Browser, asks: App, page: Response) -> None:
    parameters = browser.get(asks.authorization_url(scope="openid email", prompt="none")).parameters
    assert (parameters["error"], parameters["iss"]) == ("consent_required", ISSUER)


def test_prompt_consent_asks_for_every_client(browser: Browser, hub: App) -> None:
    answer = browser.sign_in(hub.authorization_url(prompt="consent"))
    assert hub.extract_code(decide(browser, answer, "allow"))
    assert find_form(browser.get(hub.authorization_url(prompt="consent")).text, "/consent")


@pytest.mark.parametrize("token", ["", "x", "0" * 43])
def test_forged_form_gives_no_consent_row37(browser: Browser, page: Response, token: str) -> None:
    answer = decide(browser, page, "allow", form_token=token)
    assert (answer.status, answer.is_page) == (400, True)


def test_form_of_another_session_gives_no_consent_row37(
    bridge: Running, browser: Browser, asks: App, page: Response, cas: ScriptedCas
) -> None:
    cas.sign_in_as("mallory", {})
    attacker = Browser(bridge.wire)
    theirs = find_form(attacker.sign_in(asks.authorization_url(scope="openid email")).text, "/consent").fields[
        "form_token"
    ]
    assert decide(browser, page, "allow", form_token=theirs).status == 400
    assert decide(Browser(bridge.wire), page, "allow").status == 400, "that browser has no session"


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "https://evil.example/cb"}, {"client_id": "hub"}, {"prompt": ["none"]}, None]
)
def test_changed_consent_form_is_rejected_row4_row35(browser: Browser, page: Response, changes: Any) -> None:
    request = json.loads(find_form(page.text, "/consent").fields["request"])
    answer = decide(browser, page, "allow", request="" if changes is None else json.dumps(request | changes))
    assert (answer.status, answer.is_page) == (400, True)


def test_consent_checks_redirect_uri_again(
    bridge: Running, make_bridge: MakeBridge, browser: Browser, page: Response
) -> None:
    asks = next(client for client in CLIENTS if client["client_id"] == "asks")
    moved = json.dumps([asks | {"redirect_uris": ["https://moved.example.org/cb"]}])
    browser.wire = make_bridge(clients=moved, database_url=f"sqlite:///{bridge.database}").wire
    answer = decide(browser, page, "allow")
    assert (answer.status, answer.is_page) == (400, True)


@pytest.mark.parametrize(("changes", "seconds"), [({"max_age": "90"}, 120), ({"prompt": "login"}, 1000)])
def test_late_consent_repeats_the_login(
    bridge: Running, browser: Browser, asks: App, changes: dict[str, str], seconds: int
) -> None:
    page = browser.sign_in(asks.authorization_url(scope="openid", **changes))
    bridge.clock.advance(seconds)
    again = decide(browser, page, "allow")
    assert again.location.startswith(f"{ISSUER}/authorize?")
    assert "renew=true" in browser.get(again.location).location


def test_late_consent_revalidates_outdated_identity(make_bridge: MakeBridge) -> None:
    clients = [{**client, "identity_max_age_seconds": 300} for client in CLIENTS if client["client_id"] == "asks"]
    bridge = make_bridge(clients=json.dumps(clients))
    browser = Browser(bridge.wire)
    asks = App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb")
    page = browser.sign_in(asks.authorization_url())
    bridge.clock.advance(301)
    again = browser.get(decide(browser, page, "allow").location)
    assert asks.extract_code(browser.get(browser.log_in_at_cas(again))), "the consent is remembered"


def test_consent_names_only_claims_that_are_given(browser: Browser, old: App) -> None:
    claims = '{"userinfo": {"email": null}}'  # not in the scopes of this client
    page = browser.sign_in(old.authorization_url(scope="openid", claims=claims, prompt="consent")).text
    assert "Your e-mail address" not in page


def test_consent_names_custom_claims_of_client(make_bridge: MakeBridge) -> None:
    clients = [{**client, "claims": ["urn:x:office"]} for client in CLIENTS if client["client_id"] == "asks"]
    bridge = make_bridge(clients=json.dumps(clients), attributes='{"urn:x:office": ["uid"]}')
    asks = App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb")
    page = Browser(bridge.wire).sign_in(asks.authorization_url(scope="openid")).text
    assert "urn:x:office" in page
    assert "<bdi>alice</bdi>" in page


def test_quick_consent_satisfies_prompt_and_max_age(bridge: Running, browser: Browser, asks: App) -> None:
    page = browser.sign_in(asks.authorization_url(prompt="login", max_age="0"))
    bridge.clock.advance(30)
    assert asks.extract_code(decide(browser, page, "allow"))


# Consent by default


@pytest.fixture
def by_default(make_bridge: MakeBridge) -> Running:
    """Return a bridge whose clients have no setting for consent."""
    defaults = [{name: value for name, value in client.items() if name != "consent"} for client in CLIENTS]
    return make_bridge(clients=json.dumps(defaults))


def test_offline_access_asks_once_by_default(by_default: Running) -> None:
    browser = Browser(by_default.wire)
    notes = App(by_default.wire, "notes", redirect_uri="https://notes.example.org/cb")
    page = browser.sign_in(notes.authorization_url(scope="openid offline_access"))
    assert notes.extract_code(decide(browser, page, "allow"))
    assert notes.extract_code(browser.get(notes.authorization_url(scope="openid offline_access")))
    other = Browser(by_default.wire)
    assert notes.extract_code(other.sign_in(notes.authorization_url(scope="openid"))), "nothing to ask for"


def test_program_asks_each_time_by_default(by_default: Running) -> None:
    browser = Browser(by_default.wire)
    cli = App(by_default.wire, "cli", redirect_uri="http://[::1]:50123/cb")
    page = browser.sign_in(cli.authorization_url(scope="openid"))
    assert "only if you have just started cli" in page.text
    assert cli.extract_code(decide(browser, page, "allow"))
    assert find_form(browser.get(cli.authorization_url(scope="openid")).text, "/consent")


@pytest.mark.parametrize("client_id", ["cli", "notes"])
def test_prompt_none_requires_consent_by_default(by_default: Running, client_id: str) -> None:
    browser = Browser(by_default.wire)
    hub = App(by_default.wire, "hub")
    browser.sign_in(hub.authorization_url())
    redirect_uri = {"cli": "http://127.0.0.1:1/cb", "notes": "https://notes.example.org/cb"}[client_id]
    app = App(by_default.wire, client_id, redirect_uri=redirect_uri)
    asked = app.authorization_url(scope="openid offline_access", prompt="none")
    assert browser.get(asked).parameters["error"] == "consent_required"


def test_private_scheme_asks_and_https_does_not(make_bridge: MakeBridge) -> None:
    uris = ["org.example.app:/cb", "https://app.example.org/cb"]
    bridge = make_bridge(clients=json.dumps([{"client_id": "app", "redirect_uris": uris}]))
    browser = Browser(bridge.wire)
    mobile, web = (App(bridge.wire, "app", redirect_uri=uri) for uri in uris)
    assert find_form(browser.sign_in(mobile.authorization_url()).text, "/consent")
    assert web.extract_code(browser.get(web.authorization_url()))


# Form post


def test_form_post_has_code_state_and_issuer_row29_row31(browser: Browser, hub: App) -> None:
    state = "'\"<>&\u2028 é%20+"
    answer = browser.sign_in(hub.authorization_url(response_mode="form_post", state=state))
    (form,) = parse_forms(answer.text)
    code = form.fields.pop("code")
    assert (form.action, form.method) == (hub.redirect_uri, "post")
    assert form.fields == {"state": state, "iss": ISSUER}
    assert code not in "".join(answer.headers.values())
    assert hub.redeem(code).status == 200


def test_form_post_policy_allows_redirects_not_frames_row34(browser: Browser, hub: App) -> None:
    answer = browser.sign_in(hub.authorization_url(response_mode="form_post"))
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["form-action"] == "https:", "browsers apply the policy to redirects of the client as well"
    assert (policy["frame-ancestors"], policy["script-src"]) == ("'none'", "'self'")
    assert answer.headers["Cache-Control"] == "no-store"


def test_form_post_returns_errors_row29(browser: Browser, hub: App) -> None:
    answer = browser.get(hub.authorization_url(response_mode="form_post", scope="nothing"))
    (form,) = parse_forms(answer.text)
    assert (form.action, form.fields["error"]) == (hub.redirect_uri, "invalid_scope")
    assert (form.fields["state"], form.fields["iss"]) == (hub.state, ISSUER)


@pytest.mark.parametrize(("mode", "status"), [("form_post", 200), ("fragment", 303), (["form_post"], 303)])
def test_request_object_chooses_the_way_of_its_rejection(browser: Browser, hub: App, mode: Any, status: int) -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"response_mode": mode}).encode()).rstrip(b"=").decode()
    answer = browser.get(hub.authorization_url(request=f"eyJhbGciOiJub25lIn0.{payload}."))
    assert answer.status == status
    assert "request_not_supported" in (answer.text if status == 200 else answer.location)


def test_unverified_client_gets_no_form_post_row4_row36(browser: Browser, hub: App) -> None:
    for changes in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/cb"}):
        answer = browser.get(hub.authorization_url(response_mode="form_post", prompt="none", **changes))
        assert (answer.status, answer.is_page) == (400, True)
        assert "evil.example" not in answer.text
        assert not parse_forms(answer.text)
