"""The ASGI application: bodies, headers and threads, without a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bridge import asgi
from bridge.app import MAX_BODY_BYTES
from bridge.asgi import CAS_THREADS, COMPUTING, COMPUTING_EACH, THREADS, ThreadedApplication
from bridge.store import database
from bridge.web.login import ASKS_CAS, CAS_IS_BUSY

Environ = dict[str, Any]


def echo(seen: list[Environ]) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that records its requests and returns their bodies."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        start_response("200 OK", [("X-Name", "J\xfcrgen")])
        return [environ["wsgi.input"].read()]

    return application


async def send(
    application: ThreadedApplication,
    *parts: bytes,
    method: str = "GET",
    path: bytes = b"/",
    headers: Iterable[tuple[bytes, bytes]] = (),
    finished: bool = True,
) -> list[Any]:
    """Send one request; an unfinished body ends in silence."""
    scope = {
        "method": method,
        "raw_path": path,
        "query_string": b"a=\xff",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", "8000"),
        "client": ("127.0.0.2", "5000"),
        "headers": list(headers),
    }
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if finished:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()

    async def collect(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, collect)
    return sent


def length(count: int) -> tuple[bytes, bytes]:
    return b"content-length", str(count).encode()


def test_headers_are_latin_1() -> None:
    seen: list[Environ] = []
    headers = [
        (b"cookie", b"n=J\xfcrgen; a=b"),
        (b"cookie", b"c=d"),
        (b"user-agent", "Zoë 山".encode()),
        (b"accept-language", b"fr\xff"),
    ]
    sent = asyncio.run(send(ThreadedApplication(echo(seen)), path=b"/caf%C3%A9%ff", headers=headers))
    assert seen[0]["HTTP_COOKIE"] == "n=J\xfcrgen; a=b; c=d"
    assert seen[0]["HTTP_USER_AGENT"].encode("latin-1").decode() == "Zoë 山"
    assert seen[0]["HTTP_ACCEPT_LANGUAGE"] == "fr\xff"
    assert (seen[0]["PATH_INFO"], seen[0]["QUERY_STRING"]) == ("/caf\xc3\xa9\xff", "a=\xff")
    assert sent[0] == {"type": "http.response.start", "status": 200, "headers": [(b"x-name", b"J\xfcrgen")]}


def test_header_names_with_underscore_are_ignored() -> None:
    seen: list[Environ] = []
    headers = [(b"x_forwarded_for", b"6.6.6.6"), (b"x-forwarded_for", b"6.6.6.6"), (b"x-forwarded-for", b"192.0.2.1")]
    asyncio.run(send(ThreadedApplication(echo(seen)), headers=headers))
    assert seen[0]["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert seen[0]["REMOTE_ADDR"] == "127.0.0.2"


@pytest.mark.parametrize("header", [length(6), (b"transfer-encoding", b"chunked")])
def test_body_is_complete_before_application_runs(header: tuple[bytes, bytes]) -> None:
    seen: list[Environ] = []
    sent = asyncio.run(send(ThreadedApplication(echo(seen)), b"abc", b"def", method="POST", headers=[header]))
    assert sent[1]["body"] == b"abcdef"
    assert seen[0]["CONTENT_LENGTH"] == "6"
    assert "HTTP_TRANSFER_ENCODING" not in seen[0]


@pytest.mark.parametrize("header", [length(1000), (b"transfer-encoding", b"chunked")])
def test_unfinished_body_times_out_without_a_thread(
    monkeypatch: pytest.MonkeyPatch, header: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.01)
    seen: list[Environ] = []
    sent = asyncio.run(send(ThreadedApplication(echo(seen)), b"abc", method="POST", headers=[header], finished=False))
    assert sent[0]["status"] == 408
    assert not seen


def test_declared_large_body_is_not_read() -> None:
    seen: list[Environ] = []
    headers = [length(MAX_BODY_BYTES + 1)]
    asyncio.run(send(ThreadedApplication(echo(seen)), b"abc", method="POST", headers=headers, finished=False))
    assert seen[0]["CONTENT_LENGTH"] == str(MAX_BODY_BYTES + 1)


def test_endless_chunked_body_stops_above_the_limit() -> None:
    seen: list[Environ] = []
    parts, headers = [b"x" * 40_000] * 10, [(b"transfer-encoding", b"chunked")]
    asyncio.run(send(ThreadedApplication(echo(seen)), *parts, method="POST", headers=headers, finished=False))
    assert seen[0]["CONTENT_LENGTH"] == "80000"


def test_exception_of_the_application_is_a_500() -> None:
    def broken(_environ: Environ, _start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise RuntimeError

    assert asyncio.run(send(ThreadedApplication(broken)))[0]["status"] == 500


@pytest.mark.parametrize("path", [b"/cas/callback", b"/sso/cas/callback/", b"/cas%2Fcallback"])
def test_callbacks_occupy_half_of_the_threads(monkeypatch: pytest.MonkeyPatch, path: bytes) -> None:
    monkeypatch.setattr(asgi, "CAS_QUEUE_SECONDS", 0.01)
    cas_responds = threading.Event()
    seen: list[Environ] = []

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        if "callback" in environ["PATH_INFO"] and CAS_IS_BUSY not in environ:
            environ[ASKS_CAS]()
            cas_responds.wait(10)
        start_response("200 OK", [])
        return []

    async def overload() -> None:
        server = ThreadedApplication(application)
        callbacks = [asyncio.create_task(send(server, path=path)) for _ in range(2 * THREADS)]
        await asyncio.wait(callbacks, return_when=asyncio.FIRST_COMPLETED)
        assert (await send(server, path=b"/.well-known/jwks.json"))[0]["status"] == 200
        while sum(task.done() for task in callbacks) < 2 * THREADS - CAS_THREADS:
            await asyncio.sleep(0.01)
        cas_responds.set()
        await asyncio.gather(*callbacks)
        await send(server, path=path)

    asyncio.run(overload())
    busy = [CAS_IS_BUSY in environ for environ in seen]
    assert busy.count(True) == 2 * THREADS - CAS_THREADS
    assert not busy[-1], "the threads were not released"


def test_database_connections_exceed_threads() -> None:
    """Otherwise a writer that needs a second connection waits for those that wait for it."""
    assert sum(database.SQLITE_POOL.values()) > THREADS
    assert database.POSTGRES_CONNECTIONS > COMPUTING


class SlowApplication:
    """A WSGI application whose requests run until the test ends them."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.end = threading.Event()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.running.append(environ["PATH_INFO"])
        if environ["PATH_INFO"].startswith("/slow"):
            self.end.wait(10)
        start_response("200 OK", [])
        return []


def forwarded(address: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", address.encode())]


@pytest.mark.parametrize("attacker", [["192.0.2.1"], ["2001:db8::1", "2001:db8::2"]])
def test_one_address_does_not_occupy_all_threads(attacker: list[str]) -> None:
    """Addresses are those that the proxy reports; the addresses of an IPv6 site count as one."""
    slow = SlowApplication()

    async def overload() -> None:
        server = ThreadedApplication(slow, proxy_hops=1)
        headers = [forwarded(attacker[n % len(attacker)]) for n in range(2 * THREADS)]
        attack = [asyncio.create_task(send(server, path=b"/slow", headers=header)) for header in headers]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert (await send(server, path=b"/fast", headers=forwarded("198.51.100.7")))[0]["status"] == 200
        assert slow.running.count("/slow") <= COMPUTING_EACH
        slow.end.set()
        await asyncio.gather(*attack)

    asyncio.run(overload())
    assert slow.running.count("/slow") == 2 * THREADS, "a request was lost"


def test_callback_does_not_wait_behind_its_address() -> None:
    """Otherwise one address could hold all CAS slots with callbacks that wait behind its other requests."""
    slow = SlowApplication()

    async def overload() -> None:
        server = ThreadedApplication(slow)
        attack = [asyncio.create_task(send(server, path=b"/slow")) for _ in range(2 * COMPUTING_EACH)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(1):
                await send(server, path=b"/cas/callback")
        finally:
            slow.end.set()
            await asyncio.gather(*attack)

    asyncio.run(overload())


def test_forged_addresses_share_one_turn() -> None:
    """Without a trusted proxy, anyone can send the header."""
    slow = SlowApplication()

    async def overload() -> None:
        server = ThreadedApplication(slow)
        headers = [forwarded(f"192.0.2.{n}") for n in range(THREADS)]
        attack = [asyncio.create_task(send(server, path=b"/slow", headers=header)) for header in headers]
        while len(slow.running) < COMPUTING_EACH:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert len(slow.running) == COMPUTING_EACH
        slow.end.set()
        await asyncio.gather(*attack)

    asyncio.run(overload())


def test_request_that_waits_too_long_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "QUEUE_SECONDS", 0.01)
    slow = SlowApplication()

    async def overload() -> list[Any]:
        server = ThreadedApplication(slow)
        running = [asyncio.create_task(send(server, path=b"/slow")) for _ in range(COMPUTING_EACH)]
        await asyncio.sleep(0)
        late = await send(server, path=b"/fast")
        slow.end.set()
        await asyncio.gather(*running)
        return late

    late = asyncio.run(overload())
    assert late[0]["status"] == 503
    assert int(dict(late[0]["headers"])[b"retry-after"]) > 0
    assert "/fast" not in slow.running
