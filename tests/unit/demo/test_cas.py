"""The demo CAS server: it serves *.localhost and the bridge only, and logs no tickets."""

import html
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from demo.parts import ROOT
from tests.support.bridge.live_bridge import free_port

SERVER = ROOT / "demo" / "cas" / "serve.py"
SERVICE = "https://auth.localhost:8443/cas/callback?state=s3cret-state"


def environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "CAS_DATA_DIR": str(folder),
        "CAS_BIND": f"127.0.0.1:{port}",
        "CAS_PUBLIC_URL": "https://cas.localhost:8443/cas",
        "AUTH_PUBLIC_URL": "https://auth.localhost:8443",
        "HUB_PUBLIC_URL": "https://jupyter.localhost:8443",
    }


@dataclass
class Cas:
    """A client of the server, which sends the headers of Traefik."""

    url: str
    log: Path

    def get(self, path: str, **query: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", params=query, headers=self.headers, timeout=10, allow_redirects=False)

    def sign_in(self, user: str, password: str, service: str = SERVICE) -> requests.Response:
        form = self.get("/cas/login", service=service)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', form.text)
        return requests.post(
            f"{self.url}/cas/login",
            data={name: html.unescape(value) for name, value in hidden} | {"username": user, "password": password},
            cookies={cookie.name: cookie.value or "" for cookie in form.cookies},
            headers=self.headers | {"Origin": "https://cas.localhost:8443"},
            timeout=10,
            allow_redirects=False,
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": "cas.localhost:8443", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def cas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cas]:
    folder, port = tmp_path_factory.mktemp("cas"), free_port()
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(SERVER)], env=environment(folder, port), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while "CAS is ready" not in log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Cas(f"http://127.0.0.1:{port}", log)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def ticket_of(answer: requests.Response) -> str:
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["ticket"][0]


def test_ticket_returns_documented_attributes(cas: Cas) -> None:
    ticket = ticket_of(cas.sign_in("alice", "alice-demo"))

    reply = cas.get("/cas/p3/serviceValidate", service=SERVICE, ticket=ticket).text

    assert "<cas:user>alice</cas:user>" in reply
    assert re.findall(r"<cas:groups>(.*)</cas:groups>", reply) == ["staff", "jupyter-admins"]
    for name in ("mail", "displayName", "givenName", "sn", "eduPersonAffiliation"):
        assert f"<cas:{name}>" in reply


def test_wrong_password_shows_form_again(cas: Cas) -> None:
    answer = cas.sign_in("bob", "wrong")

    assert answer.status_code == 200
    assert 'name="password"' in answer.text


@pytest.mark.parametrize(
    "service",
    [
        "https://evil.localhost/cas/callback",
        "https://auth.localhost.evil.example/cas/callback",
        "https://auth.localhost/other",
        "http://auth.localhost/cas/callback",
        "https://jupyter.localhost/cas/callback",
        "https://auth.localhost@evil.example/cas/callback",
    ],
)
def test_tickets_are_issued_for_the_bridge_only(cas: Cas, service: str) -> None:
    answer = cas.sign_in("alice", "alice-demo", service)

    assert answer.status_code == 200
    assert "not allowed" in answer.text


def test_cas_log_contains_no_secrets(cas: Cas) -> None:
    ticket = ticket_of(cas.sign_in("bob", "bob-demo"))
    for _ in range(2):
        cas.get("/cas/serviceValidate", service=SERVICE, ticket=ticket)
    cas.get("/cas/nothing-here", ticket=ticket)

    log = cas.log.read_text()
    assert "validated for user bob" in log
    for secret in (ticket, ticket[3:], "s3cret-state", "bob-demo"):
        assert secret not in log


def test_cas_login_page_loads_no_external_resource(cas: Cas) -> None:
    page = cas.get("/cas/login").text

    assert "Demo" in page
    assert "alice-demo" in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [link for link in links if not link.startswith(("/cas/", "data:"))] == []
    assert {cas.get(link).status_code for link in links if link.startswith("/cas/")} == {200}


def test_cas_health_check_creates_no_session(cas: Cas) -> None:
    answer = cas.get("/healthz")

    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert not answer.cookies


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("CAS_PUBLIC_URL", "https://sso.example.org/cas"),
        ("AUTH_PUBLIC_URL", "https://localhost"),
        ("HUB_PUBLIC_URL", "https://evil-localhost"),
        ("HUB_PUBLIC_URL", "nothing"),
    ],
)
def test_demo_cas_rejects_public_hosts(tmp_path: Path, name: str, url: str) -> None:
    told = refusal(environment(tmp_path, 1) | {name: url})

    assert name in told
    assert "*.localhost" in told


def test_demo_cas_names_all_missing_settings(tmp_path: Path) -> None:
    told = refusal({"PATH": os.environ["PATH"], "CAS_DATA_DIR": str(tmp_path)})

    assert "CAS_PUBLIC_URL, AUTH_PUBLIC_URL, HUB_PUBLIC_URL must be set" in told


def refusal(env: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, str(SERVER)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr
