"""Tests of the pages: content, language and safety."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import bridge as passerelle
from tests.http.conftest import MakeBridge
from tests.http.world import Running
from tests.support.bridge.actors import App, Browser
from tests.support.bridge.html_forms import find_form, parse_tags
from tests.support.cas.scripted_cas import ScriptedCas

TEMPLATES = sorted((Path(passerelle.__file__).parent / "templates").glob("*.html"))
HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>%(user)s{0}"
CLIENTS = [
    {
        "client_id": "asks",
        "client_name": "The Notebook",
        "client_secret": "the secret of asks",
        "redirect_uris": ["https://asks.example.org/cb"],
        "scopes": ["openid", "profile", "email", "groups", "eduperson", "offline_access"],
        "consent": True,
    },
    {
        "client_id": "closed",
        "client_name": "The Cluster",
        "client_secret": "the secret of closed",
        "redirect_uris": ["https://closed.example.org/cb"],
        "allowed_groups": ["an-empty-group"],
    },
]


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(clients=json.dumps(CLIENTS), support_contact="help@example.org")


@pytest.fixture
def asks(bridge: Running) -> App:
    return App(bridge.wire, "asks", secret="the secret of asks", redirect_uri="https://asks.example.org/cb")


@pytest.fixture
def closed(bridge: Running) -> App:
    return App(bridge.wire, "closed", secret="the secret of closed", redirect_uri="https://closed.example.org/cb")


# Language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA", "fr"),
        ("FR_ca", "fr"),
        ("de, fr;q=0.5, en;q=0.3", "fr"),
        ("de, en;q=0.5, fr;q=0.3", "en"),
        ("de", "en"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("*", "en"),
        (";;;,,q=x, \x7f, fr;q=nan", None),
        ("fr," * 3000, None),
    ],
)
def test_accept_language_chooses_the_language(bridge: Running, accepted: str, language: str | None) -> None:
    page = Browser(bridge.wire).get("/", **{"Accept-Language": accepted})
    assert page.status == 200
    said = page.headers["Content-Language"]
    assert f'<html lang="{said}">' in page.text
    assert ("Service de connexion" in page.text) == (said == "fr")
    assert language in (None, said)


@pytest.mark.parametrize(
    ("ui_locales", "language"), [("fr", "fr"), ("fr-CA en", "fr"), ("de fr", "fr"), ("de", "en"), ("en fr", "en")]
)
def test_ui_locales_override_accept_language(bridge: Running, asks: App, ui_locales: str, language: str) -> None:
    browser = Browser(bridge.wire)
    page = browser.get(asks.authorization_url(client_id="unknown", ui_locales=ui_locales), **{"Accept-Language": "en"})
    assert page.headers["Content-Language"] == language


def test_ui_locales_survive_the_visit_to_cas(bridge: Running, closed: App) -> None:
    page = Browser(bridge.wire).sign_in(closed.authorization_url(ui_locales="fr"))
    assert page.status == 403
    assert "accès à cette application" in page.text
    assert "The Cluster" in page.text


def test_consent_form_keeps_ui_locales(bridge: Running, asks: App) -> None:
    browser = Browser(bridge.wire)
    page = browser.sign_in(asks.authorization_url(ui_locales="fr"))
    assert "Partager vos données avec The Notebook" in page.text
    fields = find_form(page.text, "/consent").fields
    assert fields["ui_locales"] == "fr"
    assert browser.post("/consent", fields | {"form_token": "wrong"}).headers["Content-Language"] == "fr"


def test_error_responses_to_clients_are_english(bridge: Running, asks: App) -> None:
    french = {"Accept-Language": "fr"}
    answer = bridge.wire.send("POST", "/token", headers=french | {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json["error_description"].isascii()
    browser = Browser(bridge.wire)
    page = browser.sign_in(asks.authorization_url(ui_locales="fr"))
    refusal = browser.post("/consent", find_form(page.text, "/consent").fields | {"decision": "deny"}, **french)
    assert refusal.parameters["error"] == "access_denied"
    assert refusal.parameters["error_description"].startswith("The user denied consent")


def test_untranslated_error_is_marked_as_english(bridge: Running) -> None:
    page = Browser(bridge.wire).get("/authorize", **{"Accept-Language": "fr"}).text
    assert "assistance de cette application" in page
    assert '<span lang="en">The parameter client_id is missing.</span>' in page


@pytest.mark.parametrize("target", ["/authorize?ui_locales=%ff", "/authorize?ui_locales=fr&x=%00", "/?ui_locales=fr"])
def test_malformed_request_gets_a_language(bridge: Running, target: str) -> None:
    assert Browser(bridge.wire).get(target).status in (200, 400)


def test_oversized_body_gets_a_page(bridge: Running) -> None:
    page = Browser(bridge.wire).post("/consent", {"ui_locales": "fr", "x": "y" * 200_000}, **HTML)
    assert page.status in (400, 413)
    assert page.is_page


# Safety


@pytest.mark.parametrize("where", ["consent", "not admitted", "account", "sign out"])
def test_session_pages_have_a_strict_policy_row33_row34(bridge: Running, asks: App, closed: App, where: str) -> None:
    browser = Browser(bridge.wire)
    consent = browser.sign_in(asks.authorization_url())
    page = {
        "consent": lambda: consent,
        "not admitted": lambda: browser.get(closed.authorization_url()),
        "account": lambda: browser.get("/"),
        "sign out": lambda: browser.get("/logout"),
    }[where]()
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["script-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["style-src"] == policy["img-src"] == "'self'"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert not {tag for tag, _ in parse_tags(page.text)} & {"script", "iframe", "object", "embed"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_inline_style_or_script_row33(path: Path) -> None:
    for tag, attributes in parse_tags(re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "x", path.read_text(), flags=re.DOTALL)):
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or "src" in attributes


@pytest.mark.parametrize("what", ["consent", "not admitted", "contact"])
def test_names_are_escaped(make_bridge: MakeBridge, cas: ScriptedCas, what: str) -> None:
    named = [client | {"client_name": HOSTILE} for client in CLIENTS]
    bridge = make_bridge(clients=json.dumps(named), support_contact=HOSTILE)
    cas.sign_in_as("<b>mallory</b>", {"displayName": (HOSTILE,), "mail": (HOSTILE,), "groups": (HOSTILE,)})
    browser = Browser(bridge.wire)
    asks = App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb")
    closed = App(bridge.wire, "closed", redirect_uri="https://closed.example.org/cb")
    page = {
        "consent": lambda: browser.sign_in(asks.authorization_url(scope="openid profile email groups", state=HOSTILE)),
        "not admitted": lambda: browser.sign_in(closed.authorization_url()),
        "contact": lambda: browser.get("/cas/callback"),
    }[what]()
    tags = parse_tags(page.text)
    assert "&lt;script&gt;alert(1)" in page.text
    assert "%(user)s{0}" in page.text, "names are not format strings"
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "b"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_invalid_host_header_gets_a_styled_page(bridge: Running) -> None:
    page = bridge.wire.send("GET", "/authorize", headers=HTML | {"Host": "a b<c>"})
    assert page.status == 400
    assert 'href="/static/theme.css"' in page.text


def test_urls_are_below_the_issuer_path(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="https://example.org/sso", clients=json.dumps(CLIENTS))
    browser = Browser(bridge.wire)
    page = browser.sign_in(
        App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb")
        .authorization_url()
        .replace("https://example.org", "")
    )
    addresses = [a[name] for _, a in parse_tags(page.text) for name in ("href", "src", "action") if name in a]
    assert addresses
    assert all(address.startswith("/sso/") for address in addresses)
    assert browser.get("/sso/static/theme.css").status == 200
    assert "Your account" in browser.get("/sso/").text


# Pages


def test_consent_page_shows_labels_and_values(bridge: Running, asks: App, cas: ScriptedCas) -> None:
    page = Browser(bridge.wire).sign_in(asks.authorization_url(scope="openid email groups offline_access")).text
    for text in ("alice@example.org", "staff", "Your groups", "while you are signed out"):
        assert text in page
    assert "Alice Liddell" in page
    assert "Your name and username" not in page
    assert "offline_access" not in re.sub("<input[^>]*>", "", page), "scope names are not shown to users"
    assert "You will continue to asks.example.org" in page
    assert "Not you? Sign out" in page


def test_access_denied_page_shows_the_contact(bridge: Running, closed: App) -> None:
    page = Browser(bridge.wire).sign_in(closed.authorization_url())
    assert page.status == 403
    for text in (
        "You are signed in as alice, but this account does not have access to The Cluster",
        "mailto:help@example.org",
    ):
        assert text in page.text
    assert ("a", {"class": "button", "href": "/logout"}) in parse_tags(page.text)
    assert page.headers["X-Request-Id"] in page.text


def test_interrupted_login_page_explains_the_remedy(bridge: Running) -> None:
    page = Browser(bridge.wire).get("/cas/callback?state=x&ticket=ST-1")
    assert page.status == 400
    assert "Your sign-in was interrupted" in page.text
    assert "Allow cookies for auth.example.org" in page.text
    assert page.headers["X-Request-Id"] in page.text


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("help@example.org", '<a href="mailto:help@example.org">help@example.org</a>'),
        ("https://example.org/help", '<a href="https://example.org/help">https://example.org/help</a>'),
        ("Office 3, tel. 42", "Office 3, tel. 42"),
        ("javascript:alert(1)", "\njavascript:alert(1)</p>"),
    ],
)
def test_support_contact_is_linked_if_possible(make_bridge: MakeBridge, contact: str, shown: str) -> None:
    page = Browser(make_bridge(support_contact=contact).wire).get("/nowhere", **HTML).text
    assert shown in page
    assert 'href="javascript' not in page


def test_form_post_works_without_script(bridge: Running, asks: App) -> None:
    browser = Browser(bridge.wire)
    consent = browser.sign_in(asks.authorization_url(response_mode="form_post", state=HOSTILE))
    page = browser.post("/consent", find_form(consent.text, "/consent").fields | {"decision": "allow"})
    form = find_form(page.text, "https://asks.example.org/cb")
    bridge.wire.secrets.add(form.fields["code"])
    assert form.method == "post"
    assert form.fields["state"] == HOSTILE
    assert len(form.buttons) == 1
    assert "form-action https:;" in page.headers["Content-Security-Policy"]
    assert [attributes for tag, attributes in parse_tags(page.text) if tag == "script"] == [
        {"src": "/static/submit.js"}
    ]
