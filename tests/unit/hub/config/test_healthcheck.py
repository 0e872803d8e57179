"""The hub's health: it answers, and the edge has once led to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hub.config.healthcheck import fault
from tests.support.bridge.live_bridge import free_port

PUBLIC = "jupyter.example.org:8443"


class Server:
    """Says what it is told to, and remembers which host it was asked for."""

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

    def ends(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def hub() -> Iterator[Server]:
    server = Server()
    yield server
    server.ends()


@pytest.fixture
def edge() -> Iterator[Server]:
    server = Server()
    yield server
    server.ends()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "was-reached"


def test_a_hub_that_nobody_is_led_to_is_not_healthy_yet(hub: Server, edge: Server, mark: Path) -> None:
    edge.status = 404
    assert fault(hub.url, edge.url, PUBLIC, mark) == f"Traefik does not lead to the hub as {PUBLIC}: it says 404"
    assert not mark.exists()


def test_people_are_led_to_it_by_its_public_name(hub: Server, edge: Server, mark: Path) -> None:
    assert fault(hub.url, edge.url, PUBLIC, mark) is None
    assert edge.hosts == [PUBLIC]


def test_a_fault_of_the_edge_later_on_is_not_the_hubs(hub: Server, edge: Server, mark: Path) -> None:
    assert fault(hub.url, edge.url, PUBLIC, mark) is None
    edge.status = 502
    assert fault(hub.url, edge.url, PUBLIC, mark) is None
    assert len(edge.hosts) == 1


def test_a_hub_that_does_not_answer_is_not_healthy_however_it_was_reached(edge: Server, mark: Path) -> None:
    mark.touch()
    told = fault(f"http://127.0.0.1:{free_port()}", edge.url, PUBLIC, mark)
    assert told is not None
    assert told.startswith("The hub does not answer: ")


def test_an_edge_that_is_not_there_is_a_sentence(hub: Server, mark: Path) -> None:
    told = fault(hub.url, f"https://127.0.0.1:{free_port()}", PUBLIC, mark)
    assert told is not None
    assert "Connection refused" in told
