"""Tests of the effects of a sign-out: repeated requests, remaining access, CAS and forms of other sites."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.http.deliveries import clients_with_logout_uris
from tests.http.signed_in_user import CLIENTS, GOODBYE, SESSION_COOKIE, Person, application, fields, is_asked
from tests.http.world import ISSUER, Running, events
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas.scripted_cas import ScriptedCas

MakeBridge = Callable[..., Running]
METHODS = ["GET", "POST"]
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def make(make_bridge: MakeBridge) -> Callable[..., Running]:
    return lambda **settings: make_bridge(clients=json.dumps(CLIENTS), **settings)


@pytest.fixture
def running(make: Callable[..., Running]) -> Running:
    return make()


@pytest.fixture
def alice(running: Running) -> Person:
    return Person(running)


def test_repeated_sign_out_is_no_error(alice: Person, cas: ScriptedCas) -> None:
    alice.sign_in()
    one, two = alice.sign_out(), alice.sign_out()

    assert alice.submit(one).location == f"{cas.url}/logout"
    assert alice.submit(two).status == 200
    assert alice.submit(one).status == 200
    assert alice.sign_out().status == 200


def test_form_of_an_earlier_session_needs_confirmation(alice: Person) -> None:
    alice.sign_in()
    old = alice.sign_out()
    alice.submit(old)
    alice.sign_in()

    again = alice.submit(old)

    assert is_asked(again)
    assert alice.is_signed_in
    alice.submit(again)
    assert not alice.is_signed_in


def test_repeated_sign_out_redirects_to_the_application(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]

    first, second = (alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="s") for _ in "12")

    assert first.location == second.location == f"{GOODBYE}&state=s"


@pytest.mark.parametrize("method", METHODS)
def test_signed_out_user_can_continue_to_cas(alice: Person, cas: ScriptedCas, method: str) -> None:
    page = alice.sign_out(method, state="nothing to be echoed to")

    assert (page.status, page.is_page) == (200, True)
    assert f'href="{cas.url}/logout"' in page.text
    assert "<script" not in page.text


def test_confirmation_names_what_ends_and_what_stays_open(make_bridge: MakeBridge) -> None:
    clients = clients_with_logout_uris(hub="https://hub.example.org/backchannel")
    alice = Person(make_bridge(clients=clients))
    alice.sign_in("hub", scope="openid")
    alice.sign_in("wiki", scope="openid")

    page = alice.sign_out().text

    ends, stays = page.index("These applications end your session"), page.index("These applications may keep you")
    assert ends < page.index("&lt;i&gt;JupyterHub", ends) < stays < page.index("<bdi>wiki</bdi>", stays)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("known_by", ["client_id", "id_token_hint"])
def test_signed_out_user_returns_to_a_registered_uri(alice: Person, method: str, known_by: str) -> None:
    known = {"client_id": "hub", "id_token_hint": alice.sign_in()["id_token"]}
    alice.running.clock.advance(9 * 3600)

    answer = alice.sign_out(method, post_logout_redirect_uri=GOODBYE, state="s", **{known_by: known[known_by]})

    assert answer.location == f"{GOODBYE}&state=s"


def test_after_sign_out_only_offline_access_works_row27(alice: Person) -> None:
    running = alice.running
    hub, wiki = application(running, "hub"), application(running, "wiki")
    offline = alice.sign_in(scope="openid profile offline_access")
    bound = alice.sign_in("wiki", scope="openid")
    assert (
        hub.fetch_userinfo(offline["access_token"]).status == wiki.fetch_userinfo(bound["access_token"]).status == 200
    )

    alice.sign_out(id_token_hint=bound["id_token"])

    def introspected(app: App, token: str) -> dict[str, Any]:
        form = urlencode({"token": token, "client_id": app.client_id, "client_secret": app.secret or ""})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return running.wire.send("POST", f"{ISSUER}/introspect", headers=headers, body=form).json

    def refreshed(app: App, token: str) -> Response:
        credentials = [("client_id", app.client_id), ("client_secret", app.secret or "")]
        return app.request_token([("grant_type", "refresh_token"), ("refresh_token", token), *credentials])

    assert introspected(wiki, bound["access_token"]) == {"active": False}
    assert introspected(wiki, bound["refresh_token"]) == {"active": False}
    assert wiki.fetch_userinfo(bound["access_token"]).status == 401
    assert refreshed(wiki, bound["refresh_token"]).json["error"] == "invalid_grant"
    assert introspected(hub, offline["access_token"])["active"] is True
    again = refreshed(hub, offline["refresh_token"])
    running.wire.secrets.add(again.json["refresh_token"])
    assert again.status == 200


def test_sign_out_is_logged_once_without_the_hint(alice: Person, logged: list[str]) -> None:
    hint = alice.sign_in()["id_token"]

    alice.sign_out(id_token_hint=hint)
    alice.sign_out(id_token_hint=hint)

    (event,) = events(logged, "signed_out")
    assert (event["client"], event["subject"]) == ("hub", "alice")


class TestLogoutAtCas:
    """See docs/decisions/0005."""

    def test_default_sign_out_ends_at_cas_row70(self, alice: Person, cas: ScriptedCas) -> None:
        hint = alice.sign_in()["id_token"]

        assert alice.sign_out(id_token_hint=hint).location == f"{cas.url}/logout"

    def test_direct_return_requires_password_next_time(self, alice: Person) -> None:
        hint = alice.sign_in()["id_token"]
        alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE)

        silent = alice.browser.get(application(alice.running, "wiki").authorization_url(scope="openid", prompt="none"))
        assert silent.parameters["error"] == "login_required"
        answer = alice.browser.get(application(alice.running, "hub").authorization_url(scope="openid"))
        assert dict(parse_qsl(urlsplit(answer.location).query))["renew"] == "true"
        alice.browser.get(alice.browser.log_in_at_cas(answer))
        assert alice.is_signed_in

        alice.running.clock.advance(9 * 3600)
        answer = alice.browser.get(application(alice.running, "hub").authorization_url(scope="openid"))
        assert "renew" not in answer.location, "renew is required once only"

    def test_return_through_cas_reaches_the_application_row70(
        self, make: Callable[..., Running], cas: ScriptedCas
    ) -> None:
        alice = Person(make(cas_logout="return"))
        hint = alice.sign_in()["id_token"]

        answer = alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="a&b")

        assert answer.location.startswith(f"{cas.url}/logout?service=")
        service = answer.parameters["service"]
        assert not alice.is_signed_in
        assert hint not in service
        assert alice.browser.get(service).location == f"{GOODBYE}&state=a%26b"
        assert alice.browser.get(service).location == f"{GOODBYE}&state=a%26b"

    def test_return_through_cas_without_application_shows_page(
        self, make: Callable[..., Running], cas: ScriptedCas
    ) -> None:
        alice = Person(make(cas_logout="return"))
        hint = alice.sign_in()["id_token"]

        service = alice.sign_out(id_token_hint=hint).parameters["service"]

        assert service == f"{ISSUER}/logout/done?client_id=hub"
        page = alice.browser.get(service)
        assert page.is_page
        assert cas.url not in page.text

    def test_return_from_cas_requires_registered_uri_row35(self, make: Callable[..., Running]) -> None:
        running = make(cas_logout="return")

        for parameters in ({"client_id": "hub", "post_logout_redirect_uri": "https://evil.example/"},):
            answer = running.wire.send("GET", f"{ISSUER}/logout/done?{urlencode(parameters)}")
            assert (answer.status, answer.is_page) == (400, True)

    def test_cas_logout_none_skips_cas(self, make: Callable[..., Running], cas: ScriptedCas) -> None:
        alice = Person(make(cas_logout="none"))
        hint = alice.sign_in()["id_token"]

        done = alice.sign_out(id_token_hint=hint).location

        assert done.startswith(f"{ISSUER}/logout/done")
        assert f'href="{cas.url}/logout"' in alice.browser.get(done).text
        assert (
            "renew"
            not in alice.browser.get(application(alice.running, "hub").authorization_url(scope="openid")).location
        )


class TestFormsOfOtherSites:
    """They have no SameSite=Lax cookie, so there may be a session."""

    def test_form_is_resubmitted_from_own_page(self, alice: Person) -> None:
        sent = {
            "id_token_hint": alice.sign_in()["id_token"],
            "post_logout_redirect_uri": GOODBYE,
            "state": '"><script>',
        }

        page = alice.running.wire.send("POST", f"{ISSUER}/logout", headers=CROSS_SITE, body=urlencode(sent))

        assert page.is_page
        assert fields(page) == sent
        assert alice.submit(page).location == f"{GOODBYE}&state=%22%3E%3Cscript%3E"
        assert not alice.is_signed_in

    def test_invalid_form_is_rejected(self, alice: Person) -> None:
        sent = urlencode({"client_id": "hub", "post_logout_redirect_uri": "https://evil.example/"})

        assert alice.running.wire.send("POST", f"{ISSUER}/logout", headers=CROSS_SITE, body=sent).status == 400

    def test_form_with_cookie_is_not_resubmitted(self, alice: Person) -> None:
        hint = alice.sign_in()["id_token"]

        answer = alice.browser.post("/logout", {"id_token_hint": hint}, **{"Sec-Fetch-Site": "same-site"})

        assert answer.status == 303


def test_sign_out_after_session_end_requires_password_row70(running: Running) -> None:
    """The application session outlasts the bridge's, and the CAS session may still be active."""
    alice = Person(running)
    hint = alice.sign_in()["id_token"]
    del alice.browser.cookies[SESSION_COOKIE]

    answer = alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE)

    assert answer.location == GOODBYE
    assert "renew=true" in alice.browser.get(application(running, "hub").authorization_url()).location


@pytest.mark.parametrize(("origin", "is_forced"), [("cross-site", False), ("none", False), ("same-site", True)])
def test_link_of_another_site_forces_no_password(running: Running, origin: str, is_forced: bool) -> None:
    """The hub, on the same site, sends its users here without an ID token."""
    browser = Browser(running.wire)
    sent = urlencode({"client_id": "hub", "post_logout_redirect_uri": GOODBYE})

    assert browser.get(f"/logout?{sent}", **{"Sec-Fetch-Site": origin}).location == GOODBYE
    asked = browser.get(application(running, "hub").authorization_url()).location
    assert ("renew=true" in asked) is is_forced
