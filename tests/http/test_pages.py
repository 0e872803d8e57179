"""What every page shares: language, look, contrast, and that nothing on it can be turned against its reader."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import bridge.web.appearance
from bridge.errors import ConfigurationError
from bridge.web.appearance import DARK_BACKGROUND, LEGIBLE, LIGHT_BACKGROUND, contrast, read_logo, theme
from tests.http.conftest import MakeBridge
from tests.http.world import Running
from tests.support.actors import App, Browser
from tests.support.html_forms import form_to, tags_of
from tests.support.scripted_cas import ScriptedCas

ROOT = Path(bridge.web.appearance.__file__).parents[2]
TEMPLATES = sorted((ROOT / "bridge" / "templates").glob("*.html"))
CATALOGUE = ROOT / "bridge" / "translations" / "fr" / "LC_MESSAGES" / "messages.po"
HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>%(user)s{0}"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
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
        "allowed_groups": ["nobody-is-in-this"],
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
def test_the_browser_chooses_the_language(bridge: Running, accepted: str, language: str | None) -> None:
    page = Browser(bridge.wire).opens("/", **{"Accept-Language": accepted})
    assert page.status == 200
    said = page.headers["Content-Language"]
    assert f'<html lang="{said}">' in page.text
    assert ("Service de connexion" in page.text) == (said == "fr")
    assert language in (None, said)


@pytest.mark.parametrize(
    ("ui_locales", "language"), [("fr", "fr"), ("fr-CA en", "fr"), ("de fr", "fr"), ("de", "en"), ("en fr", "en")]
)
def test_ui_locales_go_before_the_browser(bridge: Running, asks: App, ui_locales: str, language: str) -> None:
    browser = Browser(bridge.wire)
    page = browser.opens(asks.sends(client_id="unknown", ui_locales=ui_locales), **{"Accept-Language": "en"})
    assert page.headers["Content-Language"] == language


def test_ui_locales_are_remembered_on_the_way_through_cas(bridge: Running, closed: App) -> None:
    page = Browser(bridge.wire).signs_in(closed.sends(ui_locales="fr"))
    assert page.status == 403
    assert "Cette application ne vous est pas ouverte" in page.text
    assert "The Cluster" in page.text


def test_the_consent_form_carries_the_language_on(bridge: Running, asks: App) -> None:
    browser = Browser(bridge.wire)
    page = browser.signs_in(asks.sends(ui_locales="fr"))
    assert "Partager vos données avec The Notebook" in page.text
    fields = form_to(page.text, "/consent").fields
    assert fields["ui_locales"] == "fr"
    assert browser.posts("/consent", fields | {"form_token": "wrong"}).headers["Content-Language"] == "fr"


def test_programs_get_english_whatever_their_user_reads(bridge: Running, asks: App) -> None:
    french = {"Accept-Language": "fr"}
    answer = bridge.wire.ask("POST", "/token", headers=french | {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json["error_description"].isascii()
    browser = Browser(bridge.wire)
    page = browser.signs_in(asks.sends(ui_locales="fr"))
    refusal = browser.posts("/consent", form_to(page.text, "/consent").fields | {"decision": "deny"}, **french)
    assert refusal.parameters["error"] == "access_denied"
    assert refusal.parameters["error_description"].startswith("The user does not want")


def test_what_only_a_program_can_mend_stays_english_and_says_so(bridge: Running) -> None:
    page = Browser(bridge.wire).opens("/authorize", **{"Accept-Language": "fr"}).text
    assert "Prévenez ses responsables" in page
    assert '<span lang="en">The parameter client_id is missing.</span>' in page


@pytest.mark.parametrize("target", ["/authorize?ui_locales=%ff", "/authorize?ui_locales=fr&x=%00", "/?ui_locales=fr"])
def test_no_request_is_too_broken_to_be_answered_in_some_language(bridge: Running, target: str) -> None:
    assert Browser(bridge.wire).opens(target).status in (200, 400)


def test_a_body_too_large_still_gets_a_page(bridge: Running) -> None:
    page = Browser(bridge.wire).posts("/consent", {"ui_locales": "fr", "x": "y" * 200_000}, **HTML)
    assert page.status in (400, 413)
    assert page.is_page


# Catalogues


def test_every_text_is_translated_and_the_compiled_catalogue_is_fresh() -> None:
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)
    marked = extract_from_dir(
        ROOT,
        methods,
        options,
        keywords={"for_people": None, "_": None, "gettext": None, "ngettext": (1, 2)},
        directory_filter=lambda path: "/bridge" in f"{path}/" and "/." not in str(path),
    )
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="fr")
    untranslated = [text for _, _, text, _, _ in marked if not (entry := catalogue.get(text)) or not entry.string]
    assert not untranslated, "run `make translations` and fill in bridge/translations/fr/LC_MESSAGES/messages.po"
    assert not [str(fault) for _, faults in catalogue.check() for fault in faults]
    fresh = BytesIO()
    write_mo(fresh, catalogue)
    assert fresh.getvalue() == CATALOGUE.with_suffix(".mo").read_bytes(), "run `make translations`"


# Safety


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_an_inline_style_or_script_row33(path: Path) -> None:
    for tag, attributes in tags_of(re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "x", path.read_text(), flags=re.DOTALL)):
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or "src" in attributes


@pytest.mark.parametrize("what", ["consent", "not admitted", "contact"])
def test_names_are_text_and_nothing_else(make_bridge: MakeBridge, cas: ScriptedCas, what: str) -> None:
    named = [client | {"client_name": HOSTILE} for client in CLIENTS]
    bridge = make_bridge(clients=json.dumps(named), support_contact=HOSTILE)
    cas.sign_in_as("<b>mallory</b>", {"displayName": (HOSTILE,), "mail": (HOSTILE,), "groups": (HOSTILE,)})
    browser = Browser(bridge.wire)
    asks = App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb")
    closed = App(bridge.wire, "closed", redirect_uri="https://closed.example.org/cb")
    page = {
        "consent": lambda: browser.signs_in(asks.sends(scope="openid profile email groups", state=HOSTILE)),
        "not admitted": lambda: browser.signs_in(closed.sends()),
        "contact": lambda: browser.opens("/cas/callback"),
    }[what]()
    tags = tags_of(page.text)
    assert "&lt;script&gt;alert(1)" in page.text
    assert "%(user)s{0}" in page.text, "a name is never a pattern"
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "b"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_a_broken_host_header_gets_a_page_with_its_style(bridge: Running) -> None:
    page = bridge.wire.ask("GET", "/authorize", headers=HTML | {"Host": "a b<c>"})
    assert page.status == 400
    assert 'href="/static/theme.css"' in page.text


def test_addresses_lie_below_the_path_of_the_issuer(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="https://example.org/sso", clients=json.dumps(CLIENTS))
    browser = Browser(bridge.wire)
    page = browser.signs_in(
        App(bridge.wire, "asks", redirect_uri="https://asks.example.org/cb").sends().replace("https://example.org", "")
    )
    addresses = [a[name] for _, a in tags_of(page.text) for name in ("href", "src", "action") if name in a]
    assert addresses
    assert all(address.startswith("/sso/") for address in addresses)
    assert browser.opens("/sso/static/theme.css").status == 200
    assert "Your account" in browser.opens("/sso/").text


# Pages


def test_consent_says_in_words_and_values_what_is_shared(bridge: Running, asks: App, cas: ScriptedCas) -> None:
    page = Browser(bridge.wire).signs_in(asks.sends(scope="openid email groups offline_access")).text
    for text in ("alice@example.org", "staff", "The groups that you belong to", "even while you are away"):
        assert text in page
    assert "Alice Liddell" in page
    assert "Your name and user name" not in page
    assert "offline_access" not in re.sub("<input[^>]*>", "", page), "scopes are for programs"
    assert "You then go on to asks.example.org" in page
    assert "Not you? Sign out" in page


def test_whoever_is_not_admitted_reads_whom_to_ask(bridge: Running, closed: App) -> None:
    page = Browser(bridge.wire).signs_in(closed.sends())
    assert page.status == 403
    for text in ("You are signed in as alice, but The Cluster is not open to you", "mailto:help@example.org"):
        assert text in page.text
    assert ("a", {"class": "button", "href": "/logout"}) in tags_of(page.text)
    assert page.headers["X-Request-Id"] in page.text


def test_an_interrupted_sign_in_says_what_to_do(bridge: Running) -> None:
    page = Browser(bridge.wire).opens("/cas/callback?state=x&ticket=ST-1")
    assert page.status == 400
    assert "Your sign-in was interrupted" in page.text
    assert "Let your browser keep cookies of auth.example.org" in page.text
    assert page.headers["X-Request-Id"] in page.text


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("help@example.org", '<a href="mailto:help@example.org">help@example.org</a>'),
        ("https://example.org/help", '<a href="https://example.org/help">https://example.org/help</a>'),
        ("Room 3, tel. 42", "Room 3, tel. 42"),
        ("javascript:alert(1)", " javascript:alert(1)"),
    ],
)
def test_the_contact_is_a_link_where_it_can_be(make_bridge: MakeBridge, contact: str, shown: str) -> None:
    page = Browser(make_bridge(support_contact=contact).wire).opens("/nowhere", **HTML).text
    assert shown in page
    assert 'href="javascript' not in page


def test_a_form_post_answer_works_without_a_script(bridge: Running, asks: App) -> None:
    browser = Browser(bridge.wire)
    consent = browser.signs_in(asks.sends(response_mode="form_post", state=HOSTILE))
    page = browser.posts("/consent", form_to(consent.text, "/consent").fields | {"decision": "allow"})
    form = form_to(page.text, "https://asks.example.org/cb")
    bridge.wire.secrets.add(form.fields["code"])
    assert form.method == "post"
    assert form.fields["state"] == HOSTILE
    assert len(form.buttons) == 1
    assert page.headers["Content-Security-Policy"].count("https://asks.example.org") == 1
    assert [attributes for tag, attributes in tags_of(page.text) if tag == "script"] == [{"src": "/static/submit.js"}]


# Appearance


@pytest.mark.parametrize(
    "color", ["#1d4ed8", "#000000", "#ffffff", "#ffe600", "#808080", "#e4002b", "#00FF00", "#777777"]
)
def test_whatever_the_colour_texts_can_be_read(color: str) -> None:
    light, dark = re.findall(r"--accent: (#\w{6}); --on-accent: (#\w{6})", theme(color))
    for (accent, text), background in ((light, LIGHT_BACKGROUND), (dark, DARK_BACKGROUND)):
        assert contrast(accent, background) >= LEGIBLE
        assert contrast(text, accent) >= LEGIBLE


def test_a_colour_that_can_be_read_is_left_as_it_is() -> None:
    assert "--accent: #1d4ed8; --on-accent: #ffffff" in theme("#1d4ed8")


def test_the_backgrounds_are_those_of_the_stylesheet() -> None:
    style = (ROOT / "bridge" / "static" / "bridge.css").read_text()
    assert f"--page: {LIGHT_BACKGROUND}" in style
    assert f"--card: {DARK_BACKGROUND}" in style


def test_the_colour_reaches_the_pages(make_bridge: MakeBridge) -> None:
    browser = Browser(make_bridge(accent_color="#8b0000").wire)
    assert ("link", {"rel": "stylesheet", "href": "/static/theme.css"}) in tags_of(browser.opens("/").text)
    style = browser.opens("/static/theme.css")
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "--accent: #8b0000" in style.text
    assert browser.opens("/static/theme.css", **{"If-None-Match": style.headers["ETag"]}).status == 304


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (SVG, "image/svg+xml")])
def test_the_logo_is_a_picture_and_nothing_else(
    make_bridge: MakeBridge, tmp_path: Path, content: bytes, media_type: str
) -> None:
    path = tmp_path / "logo.html"  # the name says nothing
    path.write_bytes(content)
    browser = Browser(make_bridge(logo_file=str(path)).wire)
    assert '<img src="/static/logo" alt="">' in browser.opens("/").text
    logo = browser.opens("/static/logo")
    assert (logo.body, logo.headers["Content-Type"]) == (content, media_type)
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    policy = logo.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "sandbox" in policy
    assert "script" not in logo.headers["Content-Security-Policy"]


def test_without_a_logo_there_is_none(bridge: Running) -> None:
    browser = Browser(bridge.wire)
    assert "<img" not in browser.opens("/").text
    assert browser.opens("/static/logo", **HTML).status == 404


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html><script>alert(1)</script></html>", "neither an SVG nor a PNG"),
        (b"", "neither an SVG nor a PNG"),
        (PNG + bytes(600 * 1024), "larger than 512 kB"),
        (None, "cannot read"),
    ],
)
def test_a_logo_that_cannot_be_shown_stops_the_start(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "logo.svg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"PASSERELLE_LOGO_FILE: .*{fault}"):
        read_logo(path)
