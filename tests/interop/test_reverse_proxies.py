"""The bridge behind each proxy of docs/install.md, on its own host and below a path."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.datastructures import Headers

from tests.support.bridge import reverse_proxies
from tests.support.bridge.actors import App, Response, Wire
from tests.support.bridge.html_forms import parse_forms
from tests.support.bridge.live_bridge import PASSERELLE, LiveBridge
from tests.support.bridge.reverse_proxies import ReverseProxy
from tests.support.cas.django_cas import DjangoCas
from tests.support.cas.real_cas import Person

pytestmark = pytest.mark.needs("proxies")

REDIRECT_URI = "https://wiki.example.org/cb"
SECRET = "the secret of the wiki, long enough"
CLIENT = {
    "client_id": "wiki",
    "client_secret": SECRET,
    "redirect_uris": [REDIRECT_URI],
    "scopes": ["openid", "profile"],
}
# Headers that clients may forge.
LIES = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Server": "evil.example",
    "X-Original-URL": "/evil",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=http",
}
# WSGI treats an underscore like a hyphen.
CALLERS = (
    *("X-Forwarded-For", "X-Real-IP", "X_Forwarded_For", "x_forwarded_for", "X-Forwarded_For", "X_Forwarded-For"),
    *("X_Real_IP", "True-Client-IP", "Client-IP", "CF-Connecting-IP"),
)


class TlsWire(Wire):
    """A transport to the proxy over https."""

    def __init__(self, issuer: str, ca_file: Path) -> None:
        super().__init__(issuer, port=urlsplit(issuer).port)
        self._context = ssl.create_default_context(cafile=str(ca_file))

    def _over_http(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        parts = urlsplit(self.issuer)
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=10, context=self._context)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Response(response.status, Headers(response.getheaders()), response.read())
        finally:
            connection.close()


@dataclass
class Site:
    """A bridge behind a proxy."""

    proxy: ReverseProxy
    bridge: LiveBridge
    cas: DjangoCas

    def wire(self) -> Wire:
        return TlsWire(self.proxy.issuer, self.cas.ca_file)

    def person(self) -> Person:
        return Person(self.wire(), self.cas)

    def app(self, wire: Wire) -> App:
        return App(wire, "wiki", secret=SECRET, redirect_uri=REDIRECT_URI)

    @property
    def logged_addresses(self) -> list[str]:
        """Return the client addresses that the bridge logged."""
        return [json.loads(line)["remote"] for line in self.bridge.log.splitlines() if '"remote"' in line]


@pytest.fixture(scope="module")
def cas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoCas]:
    with DjangoCas(tmp_path_factory.mktemp("cas")) as server:
        yield server


@pytest.fixture(
    scope="module",
    params=[(kind, path) for kind in reverse_proxies.ALL for path in ("", "/sso")],
    ids=lambda param: f"{param[0].__name__}{param[1]}",
)
def place(request: pytest.FixtureRequest, cas: DjangoCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kind, path = request.param
    folder = tmp_path_factory.mktemp(kind.__name__)
    proxy = kind(folder, cas.files, cas.ca_file, path=path)
    bridge = LiveBridge(
        folder, cas_url=cas.url, clients=[CLIENT], settings={"PASSERELLE_CAS_CA_FILE": str(cas.ca_file)}
    )
    bridge.environment |= {
        "PASSERELLE_ISSUER": proxy.issuer,
        "PASSERELLE_BIND": f"127.0.0.1:{proxy.bridge_port}",
        "PASSERELLE_PROXY_HOPS": "1",
        "PASSERELLE_SECRET_KEY": secrets.token_hex(32),
    }
    bridge.url = proxy.issuer  # named in its first line
    cas.register(proxy.issuer)
    with proxy, bridge:
        yield Site(proxy, bridge, cas)
    cas.unregister(proxy.issuer)
    assert "Traceback" not in bridge.log


def test_sign_in_behind_proxy(place: Site) -> None:
    person = place.person()
    app = place.app(person.wire)
    to_cas = person.get(app.authorization_url())
    (service,) = parse_qs(urlsplit(to_cas.location).query)["service"]
    assert service.startswith(f"{place.proxy.issuer}/cas/callback?state=")

    tokens = app.redeem(app.extract_code(person.get(person.log_in_at_cas(to_cas)))).json
    assert app.fetch_userinfo(tokens["access_token"]).json["sub"] == place.cas.user.name

    page = person.get(f"{place.proxy.issuer}/")
    assert page.status == 200
    assert place.cas.user.name in page.text
    sheets = re.findall(r'href="([^"]+\.css)"', page.text)
    assert len(sheets) == 2
    assert {person.get(sheet).status for sheet in sheets} == {200}

    (everywhere,) = (form for form in parse_forms(page.text) if form.action.endswith("/account/sign-out-everywhere"))
    assert person.post(everywhere.action, everywhere.fields).location == f"{place.proxy.issuer}/logout"
    assert app.query_token(tokens["access_token"]).json == {"active": False}


def test_cookies_are_limited_to_host_and_path(place: Site) -> None:
    person = place.person()
    answer = person.get(place.app(person.wire).authorization_url())
    person.get(person.log_in_at_cas(answer))
    suffix = place.proxy.path.replace("/", ".")
    assert {f"__Host-passerelle-login{suffix}", f"__Host-passerelle-session{suffix}"} <= set(person.cookies)
    assert all(name.startswith("__Host-") and name.endswith(suffix) for name in person.cookies)
    for line in answer.headers.getlist("Set-Cookie"):
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


def test_metadata_urls_begin_with_issuer(place: Site) -> None:
    issuer, wire = place.proxy.issuer, place.wire()
    document = wire.send("GET", f"{issuer}/.well-known/openid-configuration").json
    oauth = wire.send("GET", f"/.well-known/oauth-authorization-server{place.proxy.path}").json
    addresses = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]

    assert document["issuer"] == oauth["issuer"] == issuer
    assert len(addresses) > 6
    assert [address for address in addresses if not address.startswith(f"{issuer}/")] == []
    assert wire.send("GET", document["jwks_uri"]).json["keys"]


def test_forged_headers_change_no_url_and_no_address(place: Site) -> None:
    wire = place.wire()
    truth = wire.send("GET", f"{place.proxy.issuer}/.well-known/openid-configuration").json
    already = len(place.logged_addresses)
    alone = [{name: "6.6.6.6"} for name in CALLERS]
    beside = [{"X-Forwarded-For": "7.7.7.7", name: "6.6.6.6"} for name in CALLERS[2:]]
    for headers in ({}, LIES, *alone, *beside):
        told = wire.send("GET", f"{place.proxy.issuer}/.well-known/openid-configuration", headers=headers)
        assert told.json == truth
        refused = wire.send("GET", f"{place.proxy.issuer}/authorize?client_id=unknown", headers=headers)
        assert refused.status == 400
        assert "evil" not in refused.text
    assert set(place.logged_addresses[already:]) == {"127.0.0.1"}


def test_foreign_host_header_is_never_reflected(place: Site) -> None:
    answer = place.wire().send(
        "GET", f"{place.proxy.path}/.well-known/openid-configuration", headers={"Host": "evil.example"}
    )
    assert "evil.example" not in answer.text + str(answer.headers)


def test_metrics_are_not_public(place: Site) -> None:
    wire = place.wire()
    assert wire.send("GET", f"{place.proxy.path}/metrics").status == 404
    assert b"passerelle_" not in wire.send("GET", "/metrics").body


def test_cas_logout_reaches_bridge(place: Site) -> None:
    person = place.person()
    app = place.app(person.wire)
    token = app.redeem(app.extract_code(person.sign_in(app.authorization_url()))).json["access_token"]
    assert app.query_token(token).json["active"] is True
    person.at_cas.sign_out()
    assert app.query_token(token).json == {"active": False}


def test_other_paths_are_left_to_other_services(place: Site) -> None:
    if not place.proxy.path:
        assert place.wire().send("GET", "/").text.count("<main>") == 1
        return
    for path in ("/", "/authorize", "/ssoo/authorize", "/.well-known/openid-configuration", "/static/bridge.css"):
        answer = place.wire().send("GET", path)
        assert b"X-Request-Id" not in answer.headers
        assert "passerelle" not in answer.text.lower()


def test_proxy_logs_contain_no_ticket_or_code(place: Site) -> None:
    person = place.person()
    app = place.app(person.wire)
    app.redeem(app.extract_code(person.sign_in(app.authorization_url())))
    logs = "".join(file.read_text() for file in place.proxy.folder.glob("*.log"))
    assert place.proxy.folder.joinpath("proxy.log").exists()
    assert [hidden for hidden in person.wire.secrets if hidden in logs] == []
    assert "ticket=" not in logs


@pytest.mark.parametrize("path", ["", "/sso"])
@pytest.mark.parametrize("kind", reverse_proxies.ALL)
def test_proxy_logs_contain_no_ticket_during_outage(
    kind: type[ReverseProxy], path: str, cas: DjangoCas, tmp_path: Path
) -> None:
    """A ticket sent during a restart of the bridge is still valid."""
    with kind(tmp_path, cas.files, cas.ca_file, path=path) as proxy:
        wire = TlsWire(proxy.issuer, cas.ca_file)
        callback = f"{proxy.issuer}/cas/callback?state=of-mine&ticket=ST-1-of-mine"
        assert wire.send("GET", callback).status in (502, 503)
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert [line for line in logs.splitlines() if "of-mine" in line] == []


def test_check_passes_behind_proxy(place: Site) -> None:
    words: Mapping[str, str] = os.environ | place.bridge.environment
    checked = subprocess.run(
        [PASSERELLE, "check", "--json", "--ca-file", place.cas.ca_file],
        env=words,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {finding["id"]: finding["level"] for finding in json.loads(checked.stdout)["findings"]}
    assert [name for name, level in found.items() if level == "FAULT"] == []
    assert found["public.issuer"] == "ok", found
    if not place.proxy.path:
        assert found["public.hsts"] == "ok"
