"""Tests of RP-Initiated Logout 1.0: the session that ends, and the redirect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from bridge.web.context import EXTENSION
from tests.http.signed_in_user import CLIENTS, GOODBYE, HUB, SESSION_COOKIE, Person, claims_in, fields, is_asked
from tests.http.world import ISSUER, Running
from tests.support.cas.scripted_cas import ScriptedCas

MakeBridge = Callable[..., Running]
METHODS = ["GET", "POST"]


@pytest.fixture
def make(make_bridge: MakeBridge) -> Callable[..., Running]:
    return lambda **settings: make_bridge(clients=json.dumps(CLIENTS), **settings)


@pytest.fixture
def running(make: Callable[..., Running]) -> Running:
    return make()


@pytest.fixture
def alice(running: Running) -> Person:
    return Person(running)


@pytest.mark.parametrize("method", METHODS)
def test_application_signs_out_its_user_and_gets_state_row70(alice: Person, method: str) -> None:
    hint = alice.sign_in()["id_token"]

    answer = alice.sign_out(method, id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="a b&c=ü")

    assert answer.location == f"{GOODBYE}&state=a+b%26c%3D%C3%BC"
    assert not alice.is_signed_in
    assert "Max-Age=0" in next(line for line in answer.headers.getlist("Set-Cookie") if SESSION_COOKIE in line)


def test_without_state_the_redirect_uri_is_unchanged(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]

    assert alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE).location == GOODBYE


def test_hint_of_pairwise_client_with_es256_is_accepted(alice: Person) -> None:
    hint = alice.sign_in("wiki", scope="openid")["id_token"]

    answer = alice.sign_out(
        id_token_hint=hint, client_id="wiki", post_logout_redirect_uri="https://wiki.example.org/bye"
    )

    assert answer.location == "https://wiki.example.org/bye"
    assert not alice.is_signed_in


@pytest.mark.parametrize("method", METHODS)
def test_expired_hint_is_accepted_row70(make: Callable[..., Running], method: str) -> None:
    running = make(session_lifetime_seconds=str(20 * 24 * 3600))
    alice = Person(running)
    hint = alice.sign_in()["id_token"]
    running.clock.advance(19 * 24 * 3600)

    answer = alice.sign_out(method, id_token_hint=hint, post_logout_redirect_uri=GOODBYE)

    assert answer.location == GOODBYE
    assert not alice.is_signed_in


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "wiki"},
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": f"{GOODBYE}&more"},
        {"post_logout_redirect_uri": "https://hub.example.org/goodbye"},
        {"post_logout_redirect_uri": HUB},
        {"post_logout_redirect_uri": "https://wiki.example.org/bye"},
        {"client_id": "nobody", "post_logout_redirect_uri": GOODBYE},
        {"state": "x" * 5000},
    ],
    ids="-".join,
)
def test_request_of_another_client_gets_a_page_row70(alice: Person, method: str, parameters: dict[str, str]) -> None:
    hint = alice.sign_in()["id_token"]

    answer = alice.sign_out(method, id_token_hint=hint, **parameters)

    assert answer.status == 400
    assert answer.is_page
    assert alice.is_signed_in


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("session", ["signed in", "signed out"])
def test_redirect_uri_without_client_is_rejected_row35_row70(alice: Person, method: str, session: str) -> None:
    if session == "signed in":
        alice.sign_in()

    answer = alice.sign_out(method, post_logout_redirect_uri=GOODBYE, state="s")

    assert answer.status == 400
    assert answer.is_page
    assert f"{ISSUER}/logout" in answer.text


def forged_hints(hint: str) -> Iterator[str]:
    header, payload, signature = hint.split(".")
    yield f"{header}.{payload}.{signature[:-4]}AAAA"
    yield f"{header}.{payload[:-4]}AAAA.{signature}"
    yield f"eyJhbGciOiJub25lIn0.{payload}."
    yield f"{header}.{payload}"
    yield from ("x", "..", "a.b.c", "a.b.c.d.e", "\x00", "é.é.é", "W10.W10.W10", "eyJhbGciOjF9.e30.AA", "." * 5000)


def test_redirect_uri_without_client_is_called_incomplete(alice: Person) -> None:
    page = alice.sign_out(post_logout_redirect_uri=GOODBYE).text
    assert "but not the application (client_id or id_token_hint)" in page


def test_invalid_hint_is_rejected_without_5xx(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]

    for forged in forged_hints(hint):
        answer = alice.sign_out("POST", id_token_hint=forged, post_logout_redirect_uri=GOODBYE, client_id="hub")
        assert (answer.status, answer.is_page) == (400, True), forged[:40]
    assert alice.is_signed_in


def test_logout_token_is_not_an_id_token_hint(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]
    keys = alice.running.app.extensions[EXTENSION].provider.keys
    disguised = keys.sign(claims_in(hint) | {"events": {}}, algorithm="RS256", typ="logout+jwt")

    assert alice.sign_out(id_token_hint=disguised).status == 400
    assert alice.is_signed_in


@pytest.mark.parametrize("method", METHODS)
def test_hint_of_another_user_ends_no_session_row70(alice: Person, cas: ScriptedCas, method: str) -> None:
    cas.sign_in_as("bob", {})
    bob = Person(alice.running)
    hint_of_bob = bob.sign_in()["id_token"]
    cas.sign_in_as("alice", {})
    alice.sign_in()

    answer = alice.sign_out(method, id_token_hint=hint_of_bob, post_logout_redirect_uri=GOODBYE)

    assert is_asked(answer)
    assert alice.is_signed_in
    assert bob.is_signed_in, "a hint from another browser ended the session"


def test_hint_from_another_browser_ends_no_session_row70(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]
    attacker = Person(alice.running)

    answer = attacker.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE)

    assert answer.location == GOODBYE
    assert alice.is_signed_in


def test_hint_of_an_earlier_session_asks_the_user(alice: Person) -> None:
    hint = alice.sign_in()["id_token"]
    alice.running.clock.advance(9 * 3600)
    alice.sign_in()

    assert is_asked(alice.sign_out(id_token_hint=hint, post_logout_redirect_uri=GOODBYE))
    assert alice.is_signed_in


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("parameters", "end"),
    [
        ({}, "{cas}/logout"),
        ({"state": "s"}, "{cas}/logout"),
        ({"client_id": "hub"}, "{cas}/logout"),
        ({"logout_hint": "bob", "unknown": "x"}, "{cas}/logout"),
        ({"client_id": "hub", "post_logout_redirect_uri": GOODBYE, "state": "s"}, f"{GOODBYE}&state=s"),
        ({"client_id": "hub", "post_logout_redirect_uri": "org.example.hub:/bye"}, "org.example.hub:/bye"),
    ],
    ids=lambda value: "-".join(value) or "nothing" if isinstance(value, dict) else "",
)
def test_without_hint_the_user_is_asked_row70(
    alice: Person, cas: ScriptedCas, method: str, parameters: dict[str, str], end: str
) -> None:
    alice.sign_in()

    page = alice.sign_out(method, **parameters)

    assert is_asked(page)
    assert alice.is_signed_in
    assert "&lt;i&gt;JupyterHub" in page.text or "client_id" not in parameters
    assert alice.submit(page).location == end.format(cas=cas.url)
    assert not alice.is_signed_in


@pytest.mark.parametrize("token", [None, "", "x", "é"])
def test_forged_form_is_not_a_confirmation_row37(alice: Person, token: str | None) -> None:
    alice.sign_in()

    answer = alice.sign_out("POST", **({} if token is None else {"form_token": token}))

    assert is_asked(answer)
    assert alice.is_signed_in


def test_form_token_in_query_is_not_a_confirmation_row37(alice: Person) -> None:
    alice.sign_in()
    token = fields(alice.sign_out())["form_token"]

    assert is_asked(alice.sign_out("GET", form_token=token))
    assert alice.is_signed_in


def test_confirmation_policy_allows_cas_and_application(alice: Person, cas: ScriptedCas) -> None:
    alice.sign_in()

    page = alice.sign_out(client_id="hub", post_logout_redirect_uri="org.example.hub:/bye")

    (policy,) = page.headers.getlist("Content-Security-Policy")
    allowed = next(part for part in policy.split("; ") if part.startswith("form-action"))
    assert set(allowed.split()[1:]) == {"'self'", "https:", "http:", "org.example.hub:"}
    assert "script-src 'none'" in policy


def test_confirmation_page_links_back_to_the_application(alice: Person) -> None:
    alice.sign_in()

    back = f'href="{GOODBYE.replace("&", "&amp;")}&amp;state=s"'

    assert back in alice.sign_out(client_id="hub", post_logout_redirect_uri=GOODBYE, state="s").text
    assert "Back to" not in alice.sign_out().text
    assert "Back to" not in alice.sign_out(client_id="hub", post_logout_redirect_uri="org.example.hub:/bye").text
    assert alice.is_signed_in
