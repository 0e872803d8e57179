"""ASGI application of a worker: it reads each request completely before a thread runs the WSGI application.

Granian's WSGI interface gives a request to a thread as soon as its header is complete, so 16 unfinished bodies would
occupy all threads. Here they wait in the event loop. Requests that wait for CAS occupy at most half of the threads.
Header values are the bytes that the client sent, as Latin-1 (PEP 3333). Decision 16 has the reasons.
"""

import asyncio
import functools
import sys
import threading
from collections.abc import Awaitable, Callable
from io import BytesIO
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog

from bridge import wsgi
from bridge.app import MAX_BODY_BYTES
from bridge.cas.protocol import CALLBACK_PATH
from bridge.unread_responses import limit_unread_responses
from bridge.web.login import CAS_IS_BUSY

THREADS = 32
CAS_THREADS = THREADS // 2
CAS_QUEUE_SECONDS = 2
BODY_SECONDS = 5

Response = tuple[int, list[tuple[bytes, bytes]], bytes]
TIMED_OUT: Response = (408, [(b"content-length", b"0"), (b"connection", b"close")], b"")
FAILED: Response = (500, [(b"content-length", b"0")], b"")

_CONSTANTS: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}

log = structlog.get_logger()


def application() -> "ThreadedApplication":
    """Return the application of this worker; the server calls it once."""
    limit_unread_responses()
    return ThreadedApplication(wsgi.application())


class ThreadedApplication:
    """A WSGI application in threads, as an ASGI application without WebSocket and lifespan."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application
        self._requests: SimpleQueue[tuple[dict[str, Any], bool, asyncio.Future[Response]]] = SimpleQueue()
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True, name="request").start()
        self._cas_threads = asyncio.Semaphore(CAS_THREADS)

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Serve one request."""
        environ = _environ(scope)
        chunked = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
        try:
            if chunked or 0 < int(environ.get("CONTENT_LENGTH", 0)) <= MAX_BODY_BYTES:
                async with asyncio.timeout(BODY_SECONDS):
                    await _read_body(environ, receive)
        except TimeoutError:
            response = TIMED_OUT
        except ConnectionError:  # the client has gone
            return
        else:
            response = await self._respond(environ)
        status, headers, body = response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, environ: dict[str, Any]) -> Response:
        """Run the application in a thread; let callbacks wait for one of the threads that may wait for CAS."""
        if not (environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].rstrip("/").endswith(CALLBACK_PATH)):
            return await self._in_thread(environ)
        try:
            async with asyncio.timeout(CAS_QUEUE_SECONDS):
                await self._cas_threads.acquire()
        except TimeoutError:
            return await self._in_thread(environ | {CAS_IS_BUSY: True})
        return await self._in_thread(environ, has_cas_thread=True)

    def _in_thread(self, environ: dict[str, Any], *, has_cas_thread: bool = False) -> asyncio.Future[Response]:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._requests.put((environ, has_cas_thread, future))
        return future

    def _work(self) -> None:
        """Run requests, one after another. A ThreadPoolExecutor costs more CPU for each."""
        while True:
            environ, has_cas_thread, future = self._requests.get()
            response = self._run(environ)
            future.get_loop().call_soon_threadsafe(self._finish, response, has_cas_thread, future)

    def _finish(self, response: Response, has_cas_thread: bool, future: asyncio.Future[Response]) -> None:
        if has_cas_thread:
            self._cas_threads.release()
        if not future.done():  # cancelled, because the client has gone
            future.set_result(response)

    def _run(self, environ: dict[str, Any]) -> Response:
        """Return the complete response of the WSGI application; all of them are small."""
        started: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[..., None]:
            encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            started.append((int(status[:3]), encoded))
            return written.append

        try:
            chunks = self._application(environ, start_response)
            try:
                written.extend(chunks)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
            return *started[-1], b"".join(written)
        except Exception as error:
            log.error("unexpected_error", exc_info=error)
            return FAILED


def _environ(scope: dict[str, Any]) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333), without its body.

    Names with an underscore are omitted, because WSGI has one key for `X_Forwarded_For` and `X-Forwarded-For`.
    """
    (server, port), (client, client_port) = scope["server"], scope["client"]
    environ: dict[str, Any] = {
        **_CONSTANTS,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "REMOTE_ADDR": client,
        "REMOTE_PORT": client_port,
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
    }
    for raw_name, raw_value in scope["headers"]:
        if (key := _environ_key(raw_name)) is None:
            continue
        value = raw_value.decode("latin-1")
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    return environ


@functools.lru_cache(maxsize=256)
def _environ_key(raw_name: bytes) -> str | None:
    if b"_" in raw_name:
        return None
    name = raw_name.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


async def _read_body(environ: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> None:
    """Read the body; stop above the limit, so that the application rejects it by its length."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body += message["body"]
        more = message["more_body"]
    environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
