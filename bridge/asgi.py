"""ASGI application of a worker: it reads each request completely before a thread runs the WSGI application.

Granian's WSGI interface gives a request to a thread as soon as its header is complete, so 16 unfinished bodies would
occupy all threads. Here they wait in the event loop, and so do requests of an address that has its share of the
threads. Requests that wait for CAS occupy at most half of the threads. Header values are the bytes that the client
sent, as Latin-1 (PEP 3333). Decision 16 has the reasons.
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
from bridge.fair_slots import FairSlots, NoSlotError
from bridge.unread_responses import limit_unread_responses
from bridge.web.client_address import client_address, limit_key
from bridge.web.context import EXTENSION
from bridge.web.login import ASKS_CAS, CAS_IS_BUSY

THREADS = 32
CAS_THREADS = THREADS // 2
CAS_QUEUE_SECONDS = 2
# Requests that compute share one interpreter: more at once do not finish sooner, but delay those of other addresses.
COMPUTING = THREADS - CAS_THREADS
COMPUTING_EACH = 4
QUEUE = 1000
QUEUE_SECONDS = 10
BODY_SECONDS = 5

Response = tuple[int, list[tuple[bytes, bytes]], bytes]
TIMED_OUT: Response = (408, [(b"content-length", b"0"), (b"connection", b"close")], b"")
FAILED: Response = (500, [(b"content-length", b"0")], b"")
_TOO_MANY = b"Too many requests of this address are waiting. Try again in a few seconds.\n"
BUSY: Response = (
    503,
    [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(_TOO_MANY)).encode()),
        (b"retry-after", str(QUEUE_SECONDS).encode()),
    ],
    _TOO_MANY,
)

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
    app = wsgi.application()
    return ThreadedApplication(app, proxy_hops=app.extensions[EXTENSION].settings.proxy_hops)


class Job:
    """A request for a thread: its environment, its response, and the slots that it holds."""

    __slots__ = ("environ", "future", "releases")

    def __init__(self, environ: dict[str, Any], releases: list[Callable[[], None]]) -> None:
        self.environ, self.releases = environ, releases
        self.future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def finish(self, response: Response) -> None:
        """Release the slots and set the response; called in the event loop."""
        for release in self.releases:
            release()
        if not self.future.done():  # cancelled, because the client has gone
            self.future.set_result(response)


class ThreadedApplication:
    """A WSGI application in threads, as an ASGI application without WebSocket and lifespan."""

    def __init__(self, application: Callable[..., Any], *, proxy_hops: int = 0) -> None:
        self._application = application
        self._proxy_hops = proxy_hops
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True, name="request").start()
        self._computing = FairSlots(COMPUTING, each=COMPUTING_EACH, queue=QUEUE, seconds=QUEUE_SECONDS)
        self._asking_cas = FairSlots(CAS_THREADS, each=CAS_THREADS, queue=QUEUE, seconds=CAS_QUEUE_SECONDS)

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
        """Run the application in a thread when it is the turn of this address."""
        turn = address = limit_key(client_address(environ, self._proxy_hops))
        releases: list[Callable[[], None]] = []
        try:
            if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].rstrip("/").endswith(CALLBACK_PATH):
                try:
                    releases.append(await self._asking_cas.acquire(address))
                    # Behind other requests of its address, it would hold the slot for CAS for seconds.
                    turn = f"{address} callback"
                except NoSlotError:
                    environ[CAS_IS_BUSY] = True
            computes = await self._computing.acquire(turn)
        except BaseException as error:
            for release in releases:
                release()
            if isinstance(error, NoSlotError):
                return BUSY
            raise
        # A thread that waits for CAS does not compute.
        environ[ASKS_CAS] = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, computes)
        job = Job(environ, [computes, *releases])
        self._jobs.put(job)
        return await job.future

    def _work(self) -> None:
        """Run requests, one after another. A ThreadPoolExecutor costs more CPU for each."""
        while True:
            job = self._jobs.get()
            response = self._run(job.environ)
            job.future.get_loop().call_soon_threadsafe(job.finish, response)

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
