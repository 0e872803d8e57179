"""The edge's rules in the real Traefik, in front of servers that echo the request line."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest
import requests
from jupyterhub.utils import url_escape_path

from demo import parts
from hub.auth.usernames import USERNAME_PATTERN
from hub.config.lab_hosts import LabHosts
from hub.config.proxy import EdgeProxy
from tests.support.bridge.live_bridge import free_port

HUB, AUTH = "jupyter.localhost", "auth.localhost"
LAB_HOST = "*.labs.localhost"
LAB = "a.labs.localhost"  # where the routes of all users are here
START_WITHIN = 20  # seconds
SPECIAL = [char for char in map(chr, range(33, 127)) if re.search(USERNAME_PATTERN, f"a{char}b") and not char.isalnum()]


class Echo(BaseHTTPRequestHandler):
    """A server that names itself and the path it received."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, EchoServer)
        body = f"{self.server.name} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  named by the base class

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class EchoServer(ThreadingHTTPServer):
    """Serves until it is closed; port 0 is any."""

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Echo)
        self.name = name
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()


@dataclass
class Edge:
    """A running Traefik with the deployment's routes."""

    layout: parts.Layout

    def connect(self, host: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Open a TLS connection, without verification of the self-signed certificate."""
        context = context or ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.layout.port), timeout=5)
        return context.wrap_socket(plain, server_hostname=host)

    def ask(self, host: str, path: str, method: str = "GET") -> tuple[HTTPResponse, str]:
        """Send a path exactly as it is spelled; return the response and its body."""
        connection = HTTPConnection(host, self.layout.port)
        connection.sock = self.connect(host)
        connection.putrequest(method, path)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response, body

    def final_answer(self, path: str) -> str:
        """Follow redirects within a lab's host and return the last body."""
        for _ in range(10):
            response, body = self.ask(LAB, path)
            if response.status not in (302, 307):
                return body
            target = urlsplit(response.headers["Location"])
            path = target.path + (f"?{target.query}" if target.query else "")
        pytest.fail(f"redirect loop at {path}")

    def middleware(self, name: str) -> dict[str, object]:
        """Return a middleware as Traefik has read it."""
        password = Path(self.layout.secret("traefik_api_password")).read_text()
        credentials = {"Authorization": f"Basic {b64encode(f'hub:{password}'.encode()).decode()}"}
        url = f"http://127.0.0.1:{self.layout.api_port}/api/http/middlewares/{name}@file"
        return dict(requests.get(url, headers=credentials, timeout=5).json())


def write_lab_routes(layout: parts.Layout, lab_port: int) -> None:
    """Write routes as the hub does: one user for each special character."""
    proxy = EdgeProxy(
        app=SimpleNamespace(public_url=layout.public_url("jupyter")),
        public_url="http://:8000",
        should_start=True,
        dynamic_config_file=str(layout.folder / "dynamic" / "hub.toml"),
        traefik_entrypoint="websecure",
        lab_hosts=LabHosts(LAB_HOST, layout.public_url("jupyter")),
    )

    async def write() -> None:
        labs = {f"{LAB}/user/{url_escape_path(f'a{char}b')}/": lab_port for char in SPECIAL}
        routes = {"/": layout.hub_port} | labs
        for path, port in routes.items():
            await proxy._apply_dynamic_config(*proxy._dynamic_config_for_route(path, f"http://127.0.0.1:{port}", {}))

    asyncio.run(write())


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Start Traefik with a limit of one sign-in request a minute, which each host's first request uses up."""
    layout = parts.lay_out(tmp_path_factory.mktemp("edge"), free_port())
    for name in ("home", "tmp", "dynamic"):
        (layout.folder / name).mkdir()
    prepare, traefik = parts.prepare(layout), parts.traefik(layout)
    subprocess.run(prepare.argv, env=prepare.env, check=True, capture_output=True)
    traefik = replace(traefik, env={**traefik.env, "AUTH_RATE_PER_MINUTE": "1"})
    with (
        EchoServer("hub", layout.hub_port),
        EchoServer("bridge", layout.bridge_port),
        EchoServer("lab") as lab,
    ):
        write_lab_routes(layout, lab.server_port)
        process = subprocess.Popen(traefik.argv, env=traefik.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            running = Edge(layout)
            wait_until_ready(running)
            for host, path in ((AUTH, "/authorize"), (HUB, "/hub/login")):
                running.ask(host, path)
            yield running
        finally:
            process.terminate()
            process.wait(10)


def wait_until_ready(edge: Edge) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        with contextlib.suppress(OSError):
            if edge.ask(AUTH, "/healthz")[0].status == edge.ask(HUB, "/")[0].status == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ── The sign-in limit ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        *("/authorize", "/authorize?scope=openid", "/authorize/", "/authorize%2f", "/authorize%2F", "/%61uthorize"),
        *("//authorize", "/x/../authorize", "/./authorize", "/authorize%2f%2F", "/%2fauthorize", "/authorize/."),
        *("/login", "/login%2f", "/l%6Fgin", "/cas/callback", "/cas%2fcallback", "/cas%2Fcallback%2f", "/device%2F"),
    ],
)
def test_bridge_sign_in_limit_covers_spelling(edge: Edge, path: str) -> None:
    assert edge.ask(AUTH, path)[0].status == 429


@pytest.mark.parametrize("path", ["/hub/login", "/hub/login/", "/hub//login", "/hub/%6Cogin", "/hub/oauth_login?next="])
def test_hub_sign_in_limit_covers_spelling(edge: Edge, path: str) -> None:
    assert edge.ask(HUB, path)[0].status == 429


@pytest.mark.parametrize(
    ("host", "path", "answer"),
    [
        (AUTH, "/token", "bridge /token"),
        (AUTH, "/logout?state=%2F", "bridge /logout?state=%2F"),
        (HUB, "/hub/home", "hub /hub/home"),
        (HUB, "/hub/api/users/a%40b", "hub /hub/api/users/a%40b"),
        (LAB, "/user/a@b/files/%2F", "lab /user/a@b/files/%2F"),
    ],
)
def test_sign_in_limit_spares_other_paths(edge: Edge, host: str, path: str, answer: str) -> None:
    assert edge.ask(host, path)[1] == answer


def test_sign_in_limit_counts_ipv6_networks(edge: Edge) -> None:
    limit = edge.middleware("sign-in-limit")["rateLimit"]
    assert isinstance(limit, dict)
    assert limit["sourceCriterion"] == {"ipStrategy": {"ipv6Subnet": 64}}


# ── Users' paths ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("char", SPECIAL)
def test_both_spellings_of_user_reach_lab(edge: Edge, char: str) -> None:
    answer = f"lab /user/{url_escape_path(f'a{char}b')}/lab?x=%40+'"
    for spelling in (f"a{char}b", f"a{quote(char, safe='')}b", f"a%{ord(char):02x}b", url_escape_path(f"a{char}b")):
        assert edge.final_answer(f"/user/{spelling}/lab?x=%40+'") == answer


def test_redirect_of_spelling_keeps_method(edge: Edge) -> None:
    response, _ = edge.ask(LAB, "/user/a%40b/api/contents", "POST")
    assert response.status == 307
    assert response.headers["Location"].endswith("/user/a@b/api/contents")


@pytest.mark.parametrize("rest", ["/files/a%40b+c'd", "/lab/tree/a%2Bb?x='", "?next=%40"])
def test_only_username_is_respelled(edge: Edge, rest: str) -> None:
    assert edge.ask(LAB, f"/user/a@b{rest}")[1] == f"lab /user/a@b{rest}"


# ── Hosts of the labs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/user/none/lab?x=%2F", "/hub/home", "/evil.example/", "/%2Fhub/api"])
def test_lab_host_redirects_to_hub_without_lab(edge: Edge, path: str) -> None:
    response, _ = edge.ask("none.labs.localhost", path)
    assert response.status == 302
    assert response.headers["Location"] == f"{edge.layout.public_url('jupyter')}{path}"


@pytest.mark.parametrize("host", ["labs.localhost", "x.y.labs.localhost", "alabs.localhost", "x.labs.localhost.org"])
def test_other_hosts_are_no_lab_hosts(edge: Edge, host: str) -> None:
    assert edge.ask(host, "/user/a@b/lab")[0].status == 404


@pytest.mark.parametrize("host", [HUB, AUTH, "b.labs.localhost"])
def test_lab_is_served_on_its_host_only(edge: Edge, host: str) -> None:
    assert not edge.ask(host, "/user/a@b/lab")[1].startswith("lab")


def test_referrer_policy_of_labs_is_kept_for_jupyter(edge: Edge) -> None:
    headers = edge.ask(LAB, "/user/a@b/lab")[0].headers
    assert headers.get_all("Referrer-Policy") == ["strict-origin-when-cross-origin"]


# ── TLS and headers ──────────────────────────────────────────────────────────────────────────────────────────


def tls_context(*, ciphers: str = "", curve: str = "", tls_1_2: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers:
        context.set_ciphers(ciphers)
    if curve:
        context.set_ecdh_curve(curve)
    return context


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
def test_intermediate_cipher_is_accepted(edge: Edge, suite: str) -> None:
    with edge.connect(AUTH, tls_context(ciphers=f"ECDHE-ECDSA-{suite}")) as connection:
        assert connection.cipher() == (f"ECDHE-ECDSA-{suite}", "TLSv1.2", 256 if "128-" not in suite else 128)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA256"])
def test_other_cipher_is_rejected(edge: Edge, suite: str) -> None:
    with pytest.raises(ssl.SSLError):
        edge.connect(AUTH, tls_context(ciphers=suite))


@pytest.mark.parametrize("curve", ["X25519", "prime256v1", "secp384r1"])
def test_intermediate_curve_is_accepted(edge: Edge, curve: str) -> None:
    edge.connect(AUTH, tls_context(curve=curve, tls_1_2=False)).close()


def test_other_curve_is_rejected(edge: Edge) -> None:
    with pytest.raises(ssl.SSLError):
        edge.connect(AUTH, tls_context(curve="secp521r1", tls_1_2=False))


def test_http_2_is_offered(edge: Edge) -> None:
    context = tls_context()
    context.set_alpn_protocols(["h2"])
    with edge.connect(HUB, context) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_referrer_policy_of_bridge_is_kept(edge: Edge) -> None:
    assert edge.ask(AUTH, "/token")[0].headers.get_all("Referrer-Policy") == ["no-referrer"]


def test_referrer_policy_of_hub_is_kept_for_jupyter(edge: Edge) -> None:
    headers = edge.ask(HUB, "/hub/home")[0].headers
    assert headers.get_all("Referrer-Policy") == ["strict-origin-when-cross-origin"]
