"""Health check of the hub: it responds, and Traefik has routed to it once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hub.config.healthcheck import find_fault
from tests.support.bridge.live_bridge import free_port

PUBLIC = "jupyter.example.org:8443"


class Server:
    """Returns a configurable status and records the Host headers."""

    def __init__(self) -> None:
        self.status, self.hosts = 200, list[str]()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hosts.append(self.headers["Host"])
                self.send_response(server.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def hub() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def edge() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "was-reached"


def test_hub_without_route_is_unhealthy(hub: Server, edge: Server, mark: Path) -> None:
    edge.status = 404
    assert find_fault(hub.url, edge.url, PUBLIC, mark) == f"Traefik does not route {PUBLIC} to the hub: status 404"
    assert not mark.exists()


def test_check_requests_public_host_from_traefik(hub: Server, edge: Server, mark: Path) -> None:
    assert find_fault(hub.url, edge.url, PUBLIC, mark) is None
    assert edge.hosts == [PUBLIC]


def test_later_fault_of_traefik_is_ignored(hub: Server, edge: Server, mark: Path) -> None:
    assert find_fault(hub.url, edge.url, PUBLIC, mark) is None
    edge.status = 502
    assert find_fault(hub.url, edge.url, PUBLIC, mark) is None
    assert len(edge.hosts) == 1


def test_unresponsive_hub_is_unhealthy(edge: Server, mark: Path) -> None:
    mark.touch()
    message = find_fault(f"http://127.0.0.1:{free_port()}", edge.url, PUBLIC, mark)
    assert message is not None
    assert message.startswith("The hub does not respond: ")


def test_unreachable_traefik_is_reported(hub: Server, mark: Path) -> None:
    message = find_fault(hub.url, f"https://127.0.0.1:{free_port()}", PUBLIC, mark)
    assert message is not None
    assert "Connection refused" in message
