"""Row 66: CORS for public documents and for public clients."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.oauth.clients import url_origin
from tests.http.conftest import MakeBridge, start, stop
from tests.http.world import CLIENTS, Running
from tests.support.bridge.actors import FORM, App, Browser, Response
from tests.support.cas.scripted_cas import ScriptedCas

SPA = "https://spa.example.org"
PUBLIC = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]
FOR_SPAS = ["/token", "/userinfo", "/revoke"]
NOBODYS = ["/authorize", "/login", "/consent", "/logout", "/", "/cas/callback", "/introspect", "/metrics", "/healthz"]
UNKNOWN_ORIGINS = [
    pytest.param("https://evil.example", id="unknown-origin"),
    pytest.param("null", id="sandboxed-page"),
    pytest.param("http://spa.example.org", id="http-instead-of-https"),
    pytest.param("https://spa.example.org:8443", id="other-port"),
    pytest.param("https://spa.example.org.evil.example", id="longer-domain"),
    pytest.param("https://xspa.example.org", id="same-suffix"),
    pytest.param("https://SPA.example.org", id="upper-case"),
    pytest.param("https://hub.example.org", id="confidential-client"),
    pytest.param("*", id="wildcard"),
]


@pytest.fixture(scope="module")
def standing_bridge(
    cas_server: ScriptedCas, database_with_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Run a bridge with a browser application as an additional client."""
    uris = [f"{SPA}/app/cb", "https://[2001:DB8::1]:444/cb", "org.example.app:/cb"]
    database = Path(shutil.copy(database_with_keys, tmp_path_factory.mktemp("cors") / "bridge.sqlite3"))
    clients = json.dumps([*CLIENTS, {"client_id": "spa", "redirect_uris": uris}])
    bridge = start(cas_server.url, database, clients=clients)
    yield bridge
    stop(bridge)


@pytest.fixture
def ask(bridge: Running) -> Callable[..., Response]:
    def ask(method: str, path: str, origin: str | None, body: str = "", **headers: str) -> Response:
        sent_headers = ({} if origin is None else {"Origin": origin}) | (FORM if body else {}) | headers
        return bridge.wire.send(method, path, headers=sent_headers, body=body)

    return ask


Ask = Callable[..., Response]


def cors_headers(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("origin", [None, SPA, "https://evil.example"])
def test_public_documents_allow_any_origin_row66(ask: Ask, path: str, origin: str | None) -> None:
    answer = ask("GET", path, origin)
    assert cors_headers(answer) == {"Access-Control-Allow-Origin": "*"}
    assert "max-age" in answer.headers["Cache-Control"]
    assert cors_headers(ask("OPTIONS", path, origin))["Access-Control-Allow-Methods"] == "GET"


@pytest.mark.parametrize(("path", "methods"), [("/token", "POST"), ("/userinfo", "GET, POST"), ("/revoke", "POST")])
def test_preflight_of_browser_application_succeeds_row66(ask: Ask, path: str, methods: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = ask("OPTIONS", path, SPA, **asked)
    assert answer.status in (200, 204)
    headers = cors_headers(answer)
    assert headers["Access-Control-Allow-Origin"] == SPA
    assert headers["Access-Control-Allow-Methods"] == methods
    assert {"Authorization", "Content-Type"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert "Origin" in answer.headers["Vary"]


def test_browser_application_can_read_responses_row66(ask: Ask, bridge: Running, browser: Browser) -> None:
    spa = App(bridge.wire, "spa", redirect_uri=f"{SPA}/app/cb")
    code = spa.extract_code(browser.sign_in(spa.authorization_url()))
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "spa",
        "redirect_uri": spa.redirect_uri,
        "code_verifier": spa.verifier,
    }
    tokens = ask("POST", "/token", SPA, urlencode(form))
    bridge.wire.secrets |= {tokens.json["access_token"]}
    bearer = {"Authorization": f"Bearer {tokens.json['access_token']}"}
    user = ask("GET", "/userinfo", SPA, **bearer)
    revoked = ask("POST", "/revoke", SPA, urlencode({"client_id": "spa", "token": tokens.json["access_token"]}))
    refused = ask("GET", "/userinfo", SPA, **bearer)
    assert [answer.status for answer in (tokens, user, revoked, refused)] == [200, 200, 200, 401]
    for answer in (tokens, user, revoked, refused):
        headers = cors_headers(answer)
        assert headers["Access-Control-Allow-Origin"] == SPA
        assert "WWW-Authenticate" in headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("path", FOR_SPAS)
def test_browser_application_can_read_errors_row66(ask: Ask, path: str) -> None:
    answers = [ask("POST", path, SPA, "x=y"), ask("POST", path, SPA), ask("DELETE", path, SPA)]
    assert all(400 <= answer.status < 500 for answer in answers)
    assert [cors_headers(answer).get("Access-Control-Allow-Origin") for answer in answers[:2]] == [SPA] * 2


@pytest.mark.parametrize("path", FOR_SPAS)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
@pytest.mark.parametrize("origin", UNKNOWN_ORIGINS)
def test_unknown_origin_gets_no_cors_headers_row66(ask: Ask, path: str, method: str, origin: str) -> None:
    answer = ask(method, path, origin, "x=y" if method == "POST" else "")
    assert not cors_headers(answer)
    assert "Origin" in answer.headers["Vary"], "a cache would serve this response to the application too"


@pytest.mark.parametrize("path", NOBODYS)
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
@pytest.mark.parametrize("origin", [SPA, "https://evil.example", "null"])
def test_pages_and_redirects_have_no_cors_headers_row66(ask: Ask, path: str, method: str, origin: str) -> None:
    sent_headers = {"Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
    assert not cors_headers(ask(method, path, origin, **sent_headers))


def test_client_with_new_secret_loses_its_origin_row66(make_bridge: MakeBridge) -> None:
    client = {"client_id": "spa", "redirect_uris": [f"{SPA}/cb"], "client_secret": "not in a browser"}
    bridge = make_bridge(clients=json.dumps([client]))
    assert not cors_headers(bridge.wire.send("OPTIONS", "/token", headers={"Origin": SPA}))


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://Spa.Example.org/cb", "https://spa.example.org"),
        ("https://spa.example.org:443/cb", "https://spa.example.org"),
        ("http://localhost:5173/cb", "http://localhost:5173"),
        ("http://127.0.0.1:80/cb", "http://127.0.0.1"),
        ("http://[::1]:5173/cb", "http://[::1]:5173"),
        ("org.example.app:/cb", None),
    ],
)
def test_origin_is_serialized_like_browsers_do(uri: str, origin: str | None) -> None:
    assert url_origin(uri) == origin
