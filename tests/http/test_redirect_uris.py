"""Unknown clients and unregistered redirect URIs get a page, never a redirect."""

from __future__ import annotations

import json

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas.scripted_cas import ScriptedCas

REGISTERED = "https://hub.example.org/hub/oauth_callback"

ALMOST = {
    "a-char-more": REGISTERED + "k",
    "a-char-less": REGISTERED[:-1],
    "other-case": REGISTERED.replace("hub/o", "hub/O"),
    "upper-case-host": REGISTERED.replace("hub.example", "HUB.example"),
    "slash-at-the-end": REGISTERED + "/",
    "extra-query": REGISTERED + "?a=b",
    "empty-query": REGISTERED + "?",
    "fragment": REGISTERED + "#here",
    "empty-fragment": REGISTERED + "#",
    "default-port": REGISTERED.replace(".org", ".org:443"),
    "other-port": REGISTERED.replace(".org", ".org:8443"),
    "userinfo": REGISTERED.replace("//", "//user@"),
    "userinfo-that-looks-like-the-host": "https://hub.example.org@evil.example/hub/oauth_callback",
    "dots": REGISTERED.replace("/hub/", "/hub/../hub/"),
    "encoded-chars": REGISTERED.replace("/hub/", "/%68ub/"),
    "http": REGISTERED.replace("https", "http"),
    "subdomain": REGISTERED.replace("//", "//a."),
    "longer-domain": REGISTERED.replace(".org", ".org.evil.example"),
    "no-scheme": REGISTERED.removeprefix("https:"),
    "backslashes": REGISTERED.replace("//", "\\\\"),
    "space-before": " " + REGISTERED,
    "line-break-after": REGISTERED + "\n",
    "javascript": "javascript:alert(1)",
    "nul": REGISTERED + "\x00",
    "another-clients": "https://portal.example.org/other",
    "non-ascii": REGISTERED.replace("hub.", "hüb."),
    "quotes": REGISTERED + "\"'\\",
    "10-kB": REGISTERED + "a" * 10_000,
}


def is_a_page_and_no_redirect(answer: Response) -> bool:
    return answer.status == 400 and answer.is_page and "<h1>" in answer.text


@pytest.mark.parametrize("uri", [pytest.param(uri, id=f"row1-{name}") for name, uri in ALMOST.items()])
def test_similar_redirect_uri_gets_a_page(browser: Browser, hub: App, uri: str) -> None:
    answer = browser.get(hub.authorization_url(redirect_uri=uri))
    assert is_a_page_and_no_redirect(answer)
    assert "JupyterHub asked to send you back to an address that is not registered" in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"client_id": "unknown"}, "is not registered with this sign-in service", id="row4-unknown-client"),
        pytest.param({"client_id": None}, "The parameter client_id is missing", id="row4-no-client"),
        pytest.param({"client_id": ""}, "The parameter client_id is missing", id="row4-empty-client"),
        pytest.param({"client_id": "HUB"}, "is not registered", id="row4-client-in-another-case"),
        pytest.param({"redirect_uri": "https://evil.example/"}, "not registered for it", id="row4-foreign-redirect"),
        pytest.param(
            {"redirect_uri": "https://evil.example/", "prompt": "none"}, "not registered", id="row36-prompt-none"
        ),
        pytest.param({"client_id": "unknown", "prompt": "none"}, "not registered", id="row36-prompt-none-nobody"),
    ],
)
def test_unverified_client_gets_a_page_not_a_redirect(
    browser: Browser, hub: App, cas: ScriptedCas, *, method: str, changes: dict[str, str | None], says: str
) -> None:
    sent = hub.request(**changes)
    answer = browser.get(hub.authorization_url(**changes)) if method == "GET" else browser.post("/authorize", sent)
    assert is_a_page_and_no_redirect(answer)
    assert says in answer.text
    assert not cas.requests


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_repeated_client_id_or_redirect_uri_gets_a_page_row49(browser: Browser, hub: App, name: str) -> None:
    for value in (hub.request()[name], "https://evil.example/"):
        assert is_a_page_and_no_redirect(browser.get(hub.authorization_url((name, value))))


def test_session_does_not_allow_unregistered_redirect_uri(browser: Browser, hub: App) -> None:
    browser.sign_in(hub.authorization_url())
    assert is_a_page_and_no_redirect(browser.get(hub.authorization_url(redirect_uri="https://evil.example/")))


def test_only_redirect_uri_may_be_omitted(browser: Browser, hub: App) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url(redirect_uri=None)))
    assert hub.redeem(code, redirect_uri=None).status == 200


def test_one_of_several_redirect_uris_is_required_row6(browser: Browser, portal: App) -> None:
    answer = browser.get(portal.authorization_url(redirect_uri=None))
    assert is_a_page_and_no_redirect(answer)
    assert "did not say which of its addresses" in answer.text


@pytest.mark.parametrize(
    "uri",
    [
        "https://portal.example.org/cb?tenant=a%2Fb",
        "https://portal.example.org/cb?list[]={a}|'b'",
        "https://portal.example.org/~a;b=c/@d,$e!/(f)?",
        "https://Portal.Example.org:443//cb",
        "org.example.portal:/cb",
        "org.example.portal:///cb",
        "org.example.portal://cb",
    ],
)
def test_redirect_uri_is_used_byte_for_byte(make_bridge: MakeBridge, uri: str) -> None:
    client = {"client_id": "portal", "redirect_uris": [uri], "consent": False}
    bridge = make_bridge(clients=json.dumps([client]))
    browser, portal = Browser(bridge.wire), App(bridge.wire, "portal", redirect_uri=uri)
    answer = browser.sign_in(portal.authorization_url())
    assert answer.location.startswith(f"{uri}{'&' if '?' in uri else '?'}code=")
    assert portal.redeem(answer.location.partition("code=")[2].partition("&")[0]).status == 200


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]:8080/cb"]
)
def test_loopback_redirect_uri_allows_any_port_row2(browser: Browser, cli: App, uri: str) -> None:
    cli.redirect_uri = uri
    tokens = cli.redeem(cli.extract_code(browser.sign_in(cli.authorization_url())))
    assert tokens.status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:08/cb",
        "http://127.0.0.1:80a/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:8080@evil.example/cb",
        "http://127.0.0.1:8080/cb/",
        "http://127.0.0.1:8080/cb?a",
        "http://127.0.0.2:8080/cb",
        "http://localhost:8080/cb",
        "https://127.0.0.1:8080/cb",
        "http://127.0.0.1:8080/cb\n",
        "http://127.0.0.1:٨٠/cb",
    ],
)
def test_loopback_redirect_uri_must_match_except_port_row2(browser: Browser, cli: App, uri: str) -> None:
    assert is_a_page_and_no_redirect(browser.get(cli.authorization_url(redirect_uri=uri)))


def test_loopback_code_is_bound_to_its_port_row7(browser: Browser, cli: App) -> None:
    code = cli.extract_code(browser.sign_in(cli.authorization_url()))
    assert cli.redeem(code, redirect_uri="http://127.0.0.1:50124/cb").json["error"] == "invalid_grant"


def test_client_names_are_escaped_on_pages(browser: Browser, portal: App) -> None:
    page = browser.get(portal.authorization_url(redirect_uri="https://evil.example/<script>")).text
    assert "&lt;b&gt;Portal&lt;/b&gt;" in page
    assert "<script" not in page
    assert "evil.example" not in page


def test_verified_client_gets_an_error_redirect(browser: Browser, hub: App) -> None:
    answer = browser.get(hub.authorization_url(response_type="token"))
    assert answer.location.startswith(REGISTERED + "?")
    assert HUB_SECRET not in answer.location
