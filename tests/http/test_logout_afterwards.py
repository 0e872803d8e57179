"""After a sign-out: second clicks, what still works, what CAS learns, and forms of other sites."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.http.people import CLIENTS, GOODBYE, SESSION_COOKIE, Person, application, fields, is_asked
from tests.http.world import ISSUER, Running, events
from tests.support.bridge.actors import App, Response
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


def test_repeated_clicks_two_tabs_and_the_back_button_are_no_error(alice: Person, cas: ScriptedCas) -> None:
    alice.sign_in()
    one, two = alice.sign_out(), alice.sign_out()

    assert alice.submits(one).location == f"{cas.url}/logout"
    assert alice.submits(two).status == 200
    assert alice.submits(one).status == 200
    assert alice.sign_out().status == 200


def test_a_form_from_before_a_new_sign_in_is_asked_about_again(alice: Person) -> None:
    alice.sign_in()
    old = alice.sign_out()
    alice.submits(old)
    alice.sign_in()

    again = alice.submits(old)

    assert is_asked(again)
    assert alice.is_signed_in
    alice.submits(again)
    assert not alice.is_signed_in


def test_a_second_click_in_the_application_leads_back_to_it_as_well(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]

    first, second = (alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="s") for _ in "12")

    assert first.location == second.location == f"{GOODBYE}&state=s"


@pytest.mark.parametrize("method", METHODS)
def test_whoever_is_not_signed_in_reads_so_and_can_go_on_to_cas(alice: Person, cas: ScriptedCas, method: str) -> None:
    page = alice.sign_out(method, state="nothing to be echoed to")

    assert (page.status, page.is_page) == (200, True)
    assert f'href="{cas.url}/logout"' in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("known_by", ["client_id", "id_token_hint"])
def test_whoever_is_not_signed_in_is_led_back_to_a_known_application(alice: Person, method: str, known_by: str) -> None:
    known = {"client_id": "hub", "id_token_hint": alice.sign_in()["id_token"]}
    alice.running.clock.advance(9 * 3600)

    answer = alice.sign_out(method, post_logout_redirect_uri=GOODBYE, state="s", **{known_by: known[known_by]})

    assert answer.location == f"{GOODBYE}&state=s"


def test_after_the_sign_out_nothing_works_but_what_was_given_for_offline_use_row27(alice: Person) -> None:
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


def test_the_sign_out_is_logged_once_without_the_hint(alice: Person, logged: list[str]) -> None:
    hint = alice.sign_in()["id_token"]

    alice.sign_out(id_token_hint=hint)
    alice.sign_out(id_token_hint=hint)

    (event,) = events(logged, "signed_out")
    assert (event["client"], event["subject"]) == ("hub", "alice")


class TestCasIsTold:
    """docs/decisions/0005."""

    def test_by_default_a_user_without_a_way_back_ends_at_cas_row70(self, alice: Person, cas: ScriptedCas) -> None:
        hint = alice.sign_in()["id_token"]

        assert alice.sign_out(id_token_hint=hint).location == f"{cas.url}/logout"

    def test_a_user_who_was_led_back_at_once_has_to_give_the_password_next_time(self, alice: Person) -> None:
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
        assert "renew" not in answer.location, "once is enough"

    def test_a_cas_that_leads_back_is_visited_on_the_way_to_the_application_row70(
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

    def test_a_cas_that_leads_back_leads_to_a_page_when_no_application_waits(
        self, make: Callable[..., Running], cas: ScriptedCas
    ) -> None:
        alice = Person(make(cas_logout="return"))
        hint = alice.sign_in()["id_token"]

        service = alice.sign_out(id_token_hint=hint).parameters["service"]

        assert service == f"{ISSUER}/logout/done?client_id=hub"
        page = alice.browser.get(service)
        assert page.is_page
        assert cas.url not in page.text

    def test_the_way_back_from_cas_leads_to_registered_addresses_only_row35(self, make: Callable[..., Running]) -> None:
        running = make(cas_logout="return")

        for parameters in ({"client_id": "hub", "post_logout_redirect_uri": "https://evil.example/"},):
            answer = running.wire.send("GET", f"{ISSUER}/logout/done?{urlencode(parameters)}")
            assert (answer.status, answer.is_page) == (400, True)

    def test_cas_can_be_left_alone(self, make: Callable[..., Running], cas: ScriptedCas) -> None:
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
    """They bring no SameSite=Lax cookie along, so a session may be there although none is seen."""

    def test_are_sent_once_more_from_a_page_of_ours(self, alice: Person) -> None:
        sent = {
            "id_token_hint": alice.sign_in()["id_token"],
            "post_logout_redirect_uri": GOODBYE,
            "state": '"><script>',
        }

        page = alice.running.wire.send("POST", f"{ISSUER}/logout", headers=CROSS_SITE, body=urlencode(sent))

        assert page.is_page
        assert fields(page) == sent
        assert alice.submits(page).location == f"{GOODBYE}&state=%22%3E%3Cscript%3E"
        assert not alice.is_signed_in

    def test_lead_nowhere_when_they_are_wrong(self, alice: Person) -> None:
        sent = urlencode({"client_id": "hub", "post_logout_redirect_uri": "https://evil.example/"})

        assert alice.running.wire.send("POST", f"{ISSUER}/logout", headers=CROSS_SITE, body=sent).status == 400

    def test_are_not_sent_again_when_the_cookie_came_along(self, alice: Person) -> None:
        hint = alice.sign_in()["id_token"]

        answer = alice.browser.post("/logout", {"id_token_hint": hint}, **{"Sec-Fetch-Site": "same-site"})

        assert answer.status == 303


def test_who_signs_out_after_our_session_was_over_is_asked_for_the_password_as_well_row70(running: Running) -> None:
    """An application remembers people for longer than we do, and sends no hint; CAS may still know them."""
    alice = Person(running)
    alice.sign_in()
    del alice.browser.cookies[SESSION_COOKIE]

    answer = alice.sign_out(client_id="hub", post_logout_redirect_uri=GOODBYE)

    assert answer.location == GOODBYE
    assert "renew=true" in alice.browser.get(application(running, "hub").authorization_url()).location
