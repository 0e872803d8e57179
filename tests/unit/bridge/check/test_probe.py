"""Requests of the probe client."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bridge.check.probe import BODY_MAX_BYTES, Failure, ProbeClient, Response, Target
from tests.support.bridge.live_bridge import free_port


def test_full_backlog_is_unconnected_and_silence_is_silent() -> None:
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        target = Target(url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
        silent = ProbeClient(seconds=0.3).send(target)
        for _ in range(3):  # until the kernel drops what comes next
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        unconnected = ProbeClient(seconds=0.3).send(target)
    assert isinstance(silent, Failure)
    assert isinstance(unconnected, Failure)
    assert (silent.kind, unconnected.kind) == ("silent", "unconnected")


def test_refused_connection_has_ip_address() -> None:
    response = ProbeClient(seconds=2).send(Target(url=f"http://localhost:{free_port()}"))

    assert isinstance(response, Failure)
    assert response.kind == "refused"
    assert "127.0.0.1" in response.addresses


@contextmanager
def server_sending(*parts: bytes, pause: float = 0.0) -> Iterator[tuple[Target, list[bytes]]]:
    """Yield a server that sends parts of a response with pauses, and the data that it received."""
    received: list[bytes] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = listening.accept()[0]
                    with connection:
                        received.append(connection.recv(65536))
                        for part in parts:
                            connection.sendall(part)
                            time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        yield Target(url=f"http://127.0.0.1:{listening.getsockname()[1]}/"), received
        listening.shutdown(socket.SHUT_RDWR)


def test_slow_response_is_limited_in_total() -> None:
    with server_sending(b"HTTP/1.1 200 OK\r\n", *[b"X-Slow: 1\r\n"] * 100, pause=0.1) as (target, _):
        response = ProbeClient(seconds=0.5).send(target)
    assert isinstance(response, Failure)
    assert response.kind == "silent"


def test_redirect_is_not_followed() -> None:
    with server_sending(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n") as (target, received):
        response = ProbeClient().send(target)
    assert isinstance(response, Response)
    assert (response.is_redirect, response.location, len(received)) == (True, "/other", 1)


def test_body_is_capped() -> None:
    with server_sending(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (2 * BODY_MAX_BYTES)) as (target, _):
        response = ProbeClient().send(target)
    assert isinstance(response, Response)
    assert len(response.body) == BODY_MAX_BYTES


def test_proxy_of_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server_sending(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (target, received):
        assert isinstance(ProbeClient().send(target), Response)
    assert b"User-Agent: Passerelle-check" in received[0]


def test_connect_sends_no_data() -> None:
    with server_sending() as (target, received):
        assert ProbeClient().connect(target, seconds=2) is None
        deadline = time.monotonic() + 5
        while not received and time.monotonic() < deadline:
            time.sleep(0.01)
    assert received == [b""]


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://sso.invalid/cas", b"GET http://sso.invalid/cas HTTP/1.1"),
        ("https://sso.invalid/cas", b"CONNECT sso.invalid:443 HTTP/1."),
    ],
    ids=["http", "https"],
)
def test_proxy_receives_credentials_and_its_refusal_is_reported(url: str, line: bytes) -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with server_sending(answer) as (proxy, received):
        address = proxy.url.removeprefix("http://").rstrip("/")
        response = ProbeClient().send(Target(url=url, proxy=f"http://user:p%40ss@{address}"))
    assert received[0].startswith(line)
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in received[0]
    if isinstance(response, Response):
        assert response.status == 407
    else:
        assert (response.kind, "407" in response.detail, "p@ss" in response.detail) == ("network", True, False)


def test_url_is_sent_as_a_sign_in_sends_it() -> None:
    with server_sending(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (target, received):
        url = target.url.replace("http://", "http://user:password@")
        ProbeClient().send(target, f"{url}%7Ea?service=%41%20b")
    assert received[0].startswith(b"GET /%7Ea?service=%41%20b HTTP/1.1\r\n")
    assert b"Authorization" not in received[0]


def test_first_of_repeated_headers_counts() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /first\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n"
    with server_sending(head) as (target, _):
        response = ProbeClient().send(target)
    assert isinstance(response, Response)
    assert response.location == "/first"
