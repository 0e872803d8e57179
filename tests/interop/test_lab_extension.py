"""The lab's extensions in a real Jupyter server, with a fake hub."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.docker.deployment import free_port

EXTENSION = Path(__file__).parents[2] / "lab" / "extension"
TOKEN, HUB_TOKEN = "lab-t0ken", "hub-t0ken"


@dataclass
class FakeHub:
    """The lifetime that the fake hub returns, and the activity reported to it."""

    port: int = 0
    stops_in: float = 3000
    asked: list[str] = field(default_factory=list)
    reported: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@dataclass
class Lab:
    """The Jupyter server under test."""

    url: str

    def ask(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        headers = {"Authorization": f"token {TOKEN}"}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)

    def last_activity(self) -> datetime:
        return datetime.fromisoformat(self.ask("/api/status").json()["last_activity"])


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    told = FakeHub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            told.tokens.add(self.headers["Authorization"])
            now = datetime.now(UTC)
            self._reply(
                {
                    "now": now.isoformat(),
                    "last_activity": (now - timedelta(hours=1)).isoformat(),
                    "stops_at": (now + timedelta(seconds=told.stops_in)).isoformat(),
                    "why": "idle",
                    "warning": 600,
                }
            )

        def do_POST(self) -> None:
            told.reported.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._reply({})

        def _reply(self, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield told
        server.shutdown()


@pytest.fixture(scope="module")
def lab(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("home")
    port = free_port(0)
    settings = json.loads((EXTENSION / "passerelle_lab" / "server.json").read_text())
    (home / ".jupyter").mkdir()
    (home / ".jupyter" / "jupyter_server_config.json").write_text(json.dumps(settings))
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
        "PYTHONPATH": str(EXTENSION),
        "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.port}/hub/api",
        "JUPYTERHUB_USER": "jean@x",
        "JUPYTERHUB_SERVER_NAME": "gpu",
    }
    command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--ServerApp.open_browser=False"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={home}", "--allow-root"]
    with (home / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            running = Lab(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + 60
            while not _answers(running):
                assert server.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.1)
            yield running
        finally:
            server.terminate()


def _answers(lab: Lab) -> bool:
    try:
        return lab.ask("/api/status").ok
    except requests.ConnectionError:
        return False


def test_lifetime_response_contains_no_token(lab: Lab, hub: FakeHub) -> None:
    answer = lab.ask("/passerelle/lifetime")
    assert answer.json()["why"] == "idle"
    assert hub.asked[-1] == "/hub/api/users/jean%40x/lifetime?server=gpu"
    assert hub.tokens == {f"token {HUB_TOKEN}"}
    assert HUB_TOKEN not in answer.text + str(answer.headers)


def test_polling_is_no_activity(lab: Lab) -> None:
    before = lab.last_activity()
    for path in ("/api/contents", "/api/kernels", "/api/sessions", "/api/terminals", "/passerelle/lifetime"):
        assert lab.ask(path).ok
    assert lab.last_activity() == before


@pytest.mark.parametrize(
    ("path", "method", "options"),
    [("/passerelle/lifetime", "POST", {}), ("/api/contents", "POST", {"json": {"type": "file"}})],
)
def test_input_and_writes_are_activity(lab: Lab, path: str, method: str, options: dict[str, Any]) -> None:
    before = lab.last_activity()
    assert lab.ask(path, method, **options).ok
    assert lab.last_activity() > before


def test_activity_is_reported_before_a_warning(lab: Lab, hub: FakeHub) -> None:
    hub.reported.clear()
    hub.stops_in = 601
    lab.ask("/passerelle/lifetime")
    assert hub.reported == []
    hub.stops_in = 599
    lab.ask("/passerelle/lifetime")
    (report,) = hub.reported
    assert list(report["servers"]) == ["gpu"]
    assert abs((datetime.fromisoformat(report["last_activity"]) - lab.last_activity()).total_seconds()) < 1


def test_unauthenticated_requests_are_rejected(lab: Lab, hub: FakeHub) -> None:
    asked = len(hub.asked)
    for method in ("GET", "POST"):
        assert requests.request(method, f"{lab.url}/passerelle/lifetime", timeout=30).status_code == 403
    assert len(hub.asked) == asked
