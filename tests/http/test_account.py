"""Tests of the account page."""

from __future__ import annotations

import json

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import ISSUER, Running, events
from tests.support.bridge.actors import App, Browser
from tests.support.bridge.html_forms import find_form, parse_forms, parse_tags
from tests.support.cas.scripted_cas import ScriptedCas

HUB = {
    "client_id": "hub",
    "client_name": "JupyterHub",
    "client_secret": "the secret of the hub",
    "redirect_uris": ["https://hub.example.org/cb"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scopes": ["openid", "profile", "email", "groups", "offline_access"],
    "consent": False,
}
END_ACCESS, END_SESSION, EVERYWHERE = "/account/end-access", "/account/end-session", "/account/sign-out-everywhere"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(clients=json.dumps([HUB]), support_contact="help@example.org")


@pytest.fixture
def hub(bridge: Running) -> App:
    return App(bridge.wire, "hub", secret="the secret of the hub", redirect_uri="https://hub.example.org/cb")


def sign_in(bridge: Running, hub: App, **request: str) -> tuple[Browser, str]:
    """Return a browser with a session, and the access token of the application."""
    browser = Browser(bridge.wire)
    answer = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url(**request))))
    bridge.wire.secrets |= {answer.json["access_token"]}
    return browser, answer.json["access_token"]


def is_signed_in(browser: Browser) -> bool:
    return "Your account" in browser.get("/").text


def press(browser: Browser, path: str, **changes: str) -> int:
    """Submit a form of the page with changes, and return the status."""
    form = find_form(browser.get("/").text, path)
    return browser.post(path, {**form.fields, **changes}).status


def test_signed_out_user_sees_explanation(bridge: Running) -> None:
    page = Browser(bridge.wire).get("/")
    assert page.status == 200
    assert "open the application that you want to use" in page.text
    assert "help@example.org" in page.text
    assert parse_forms(page.text) == []


def test_page_shows_identity(bridge: Running, hub: App) -> None:
    browser, _ = sign_in(bridge, hub)
    page = browser.get("/")
    for fact in ("Alice Liddell", "alice@example.org", "jupyter-admins", "alice"):
        assert f"<bdi>{fact}</bdi>" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_applications_are_listed_and_access_can_be_ended(bridge: Running, hub: App, logged: list[str]) -> None:
    browser, token = sign_in(bridge, hub, scope="openid email")
    page = browser.get("/").text
    assert "JupyterHub" in page
    assert "Your e-mail address" in page
    assert "Your name and username" not in page
    assert hub.fetch_userinfo(token).status == 200
    answer = browser.post(END_ACCESS, find_form(page, END_ACCESS).fields)
    assert answer.location == f"{ISSUER}/"
    assert hub.fetch_userinfo(token).status == 401
    assert "JupyterHub" not in browser.get("/").text
    (event,) = events(logged, "access_ended")
    assert (event["client"], event["subject"], event["grants"]) == ("hub", "alice", 1)


def test_page_shows_claims_requested_by_name(bridge: Running, hub: App) -> None:
    browser, _ = sign_in(
        bridge, hub, scope="openid", claims='{"userinfo": {"email": null}, "id_token": {"groups": null}}'
    )
    page = browser.get("/").text
    assert "Your e-mail address" in page
    assert "Your groups" in page
    assert "Your name and username" not in page


def test_foreign_form_does_not_force_a_password(bridge: Running, hub: App) -> None:
    browser = Browser(bridge.wire)
    browser.post(EVERYWHERE, {}, **{"Sec-Fetch-Site": "cross-site"})
    assert "renew" not in browser.get(hub.authorization_url()).location


def test_ending_access_does_not_affect_other_users(bridge: Running, hub: App, cas: ScriptedCas) -> None:
    alice, _ = sign_in(bridge, hub)
    cas.sign_in_as("bob", {})
    _, bobs_token = sign_in(bridge, hub)
    assert press(alice, END_ACCESS) == 303
    assert hub.fetch_userinfo(bobs_token).status == 200


@pytest.mark.parametrize("client_id", ["", "nobody", "hub ", "x" * 50_000, "\x00", "é", "' OR 1=1 --"])
def test_ending_access_of_unknown_application_is_no_error(bridge: Running, hub: App, client_id: str) -> None:
    browser, token = sign_in(bridge, hub)
    assert press(browser, END_ACCESS, client_id=client_id) == 303
    assert hub.fetch_userinfo(token).status == 200


def test_other_session_of_same_user_can_be_ended(bridge: Running, hub: App, logged: list[str]) -> None:
    here, _ = sign_in(bridge, hub)
    there, token = sign_in(bridge, hub)
    assert len([form for form in parse_forms(here.get("/").text) if form.action == END_SESSION]) == 1
    assert press(here, END_SESSION) == 303
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert hub.fetch_userinfo(token).status == 401, "the grants of the session are revoked"
    assert events(logged, "session_ended_by_user")[0]["ended"] is True


def test_session_of_other_user_cannot_be_ended(bridge: Running, hub: App, cas: ScriptedCas, logged: list[str]) -> None:
    alice, _ = sign_in(bridge, hub)
    sign_in(bridge, hub)  # adds a form to the page
    cas.sign_in_as("bob", {})
    bob, _ = sign_in(bridge, hub)
    (bobs,) = bridge.store.sessions.list_by_subject("bob", now=int(bridge.clock()))
    assert press(alice, END_SESSION, sid=bobs.sid) == 303
    assert is_signed_in(bob)
    assert events(logged, "session_ended_by_user")[0]["ended"] is False


def test_sign_out_everywhere_ends_all_sessions_of_the_user(
    bridge: Running, hub: App, cas: ScriptedCas, logged: list[str]
) -> None:
    browsers = [sign_in(bridge, hub)[0] for _ in range(3)]
    cas.sign_in_as("bob", {})
    bob, _ = sign_in(bridge, hub)
    page = browsers[0].get("/").text
    answer = browsers[0].post(EVERYWHERE, find_form(page, EVERYWHERE).fields)
    assert answer.location == f"{ISSUER}/logout"
    assert [is_signed_in(browser) for browser in browsers] == [False] * 3
    assert is_signed_in(bob)
    assert events(logged, "signed_out_everywhere")[0]["sessions"] == 3


@pytest.mark.parametrize(
    ("path", "token"),
    [
        *((END_ACCESS, token) for token in ("missing", "empty", "wrong", "of another form", "of another session")),
        *((path, "not ASCII") for path in (END_ACCESS, END_SESSION, EVERYWHERE)),
        # A token is bound to one form and one session, so both are tested for each form.
        *((path, "of another form") for path in (END_SESSION, EVERYWHERE)),
        *((path, "of another session") for path in (END_SESSION, EVERYWHERE)),
    ],
)
def test_forged_form_token_is_rejected_row37(bridge: Running, hub: App, path: str, token: str) -> None:
    browser, access_token = sign_in(bridge, hub)
    other, _ = sign_in(bridge, hub)
    page = browser.get("/").text
    fields = dict(find_form(page, path).fields)
    another = next(form for form in parse_forms(page) if form.action != path)
    forged = {
        "empty": "",
        "wrong": fields.pop("form_token")[::-1],
        "of another form": another.fields["form_token"],
        "of another session": find_form(other.get("/").text, path).fields["form_token"],
        "not ASCII": "é" * 43,
    }
    answer = browser.post(path, fields | ({} if token == "missing" else {"form_token": forged[token]}))
    assert answer.status == 400
    assert answer.is_page
    assert "another page sent it" in answer.text
    assert hub.fetch_userinfo(access_token).status == 200
    assert is_signed_in(browser)
    assert is_signed_in(other)


@pytest.mark.parametrize("path", [END_ACCESS, END_SESSION, EVERYWHERE])
def test_get_request_ends_nothing(bridge: Running, hub: App, path: str) -> None:
    browser, _ = sign_in(bridge, hub)
    assert browser.get(path).status == 405
    assert is_signed_in(browser)


@pytest.mark.parametrize("path", [END_ACCESS, END_SESSION, EVERYWHERE])
def test_form_of_ended_session_redirects(bridge: Running, path: str) -> None:
    assert Browser(bridge.wire).post(path, {"client_id": "hub", "sid": "x"}).location.startswith(ISSUER)


def test_user_and_client_names_are_escaped(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge(clients=json.dumps([HUB | {"client_name": HOSTILE}]), support_contact=HOSTILE)
    hub = App(bridge.wire, "hub", secret="the secret of the hub", redirect_uri="https://hub.example.org/cb")
    cas.sign_in_as("mallory", {"displayName": (HOSTILE,), "mail": (HOSTILE,), "groups": (HOSTILE, *"abcdef")})
    browser, _ = sign_in(bridge, hub)
    page = browser.get("/").text
    tags = parse_tags(page)
    assert "&lt;script&gt;alert(1)" in page
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "object"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]


def test_many_groups_are_collapsed(bridge: Running, hub: App, cas: ScriptedCas) -> None:
    cas.sign_in_as("alice", {"groups": tuple(f"group-{n}" for n in range(200))})
    browser, _ = sign_in(bridge, hub)
    page = browser.get("/").text
    assert "<summary>200 entries</summary>" in page
    assert page.count("<bdi>group-") == 200


def test_page_is_french_for_french_browsers(bridge: Running, hub: App) -> None:
    browser, _ = sign_in(bridge, hub)
    bridge.clock.advance(2 * 3600)
    hub.redeem(hub.extract_code(browser.get(hub.authorization_url())))
    page = browser.get("/", **{"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.5"})
    assert '<html lang="fr">' in page.text
    assert page.headers["Content-Language"] == "fr"
    for text in ("Votre compte", "Mettre fin à", "Votre adresse électronique", "il y a"):
        assert text in page.text
