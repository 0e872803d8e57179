"""Health checks of the containers: a request to the container itself, without a proxy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
# Docker's client sets these in every container on a host with a proxy.
PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
STATUSES = {"/readyz": 200, "/healthz": 200}


class Service(HTTPServer):
    """A server that responds to each path with its configured status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.statuses = dict(STATUSES)


class Answering(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.send_response(self.server.statuses.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def server() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def programs() -> dict[str, str]:
    """Return the health check programs by service."""
    image = (ROOT / "bridge" / "Dockerfile").read_text()
    command = re.search(r"^HEALTHCHECK(?:.|\\\n)* CMD (\[.*\])$", image, re.MULTILINE)
    assert command
    found = {"image": json.loads(command[1])}
    for name, service in yaml.safe_load((ROOT / "compose.yml").read_text())["services"].items():
        test = service.get("healthcheck", {}).get("test", [])
        if "urllib" in str(test):
            found[name] = test[1:]
    assert all(words[:2] == ["python", "-c"] for words in found.values())
    return {name: words[2] for name, words in found.items()}


@pytest.mark.parametrize("name", ["image", "bridge", "cas"])
def test_health_check_bypasses_proxy(name: str, server: Service) -> None:
    program = programs()[name].replace(":8000", f":{server.server_port}")
    environment = {**PROXY, "PASSERELLE_BIND": f"0.0.0.0:{server.server_port}"}

    def ends() -> int:
        words = [sys.executable, "-c", program]
        return subprocess.run(words, env=environment, capture_output=True, check=False).returncode

    assert ends() == 0
    server.statuses = dict.fromkeys(STATUSES, 503)
    assert ends() != 0


def test_every_health_check_is_tested() -> None:
    assert set(programs()) == {"image", "bridge", "cas"}
