"""HTTP requests and TLS connections of the check, bounded in time and size.

Built on requests, which the design names for outgoing HTTP; httpx would add a second HTTP library to the bridge. The
transport adapter is used without a `Session`, so redirects, cookies, `.netrc` and proxy variables do not exist here.
requests limits single reads only, so each exchange runs in a background thread with a limit for all of it.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from bridge.check.certificates import Certificate, parse_certificate, tls_context

PROBE_SECONDS = 8.0
RUN_SECONDS = 60.0
BODY_MAX_BYTES = 256 * 1024
HEADERS = {"User-Agent": "Passerelle-check", "Accept-Encoding": "identity", "Connection": "close"}
_LOOKUP_SECONDS = 1.0

FailureKind = Literal["name", "refused", "unconnected", "silent", "certificate", "tls", "http", "network"]
Progress = Callable[[str], AbstractContextManager[None]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server, and how to reach and trust it."""

    url: str
    ca_file: Path | None = None
    is_ca_file_exclusive: bool = True  # whether it replaces the system's authorities instead of extending them
    proxy: str | None = field(default=None, repr=False)  # URL of an HTTP proxy, possibly with credentials

    @property
    def scheme(self) -> str:
        """Return `http` or `https`."""
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Return the host name, IPv6 addresses without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return the TCP port."""
        return urlsplit(self.url).port or (443 if self.scheme == "https" else 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete HTTP response."""

    url: str
    status: int
    headers: Mapping[str, str]  # case-insensitive; the first of repeated headers
    body: bytes  # the first `BODY_MAX_BYTES`
    received_at: float  # Unix seconds by the local clock
    certificate: Certificate | None = None
    connect_seconds: float = 0.0  # for DNS lookup, TCP connection and TLS handshake
    answer_seconds: float = 0.0  # for the request and the complete response

    @property
    def location(self) -> str:
        """Return the target of a redirect."""
        return self.headers.get("location", "")

    @property
    def is_redirect(self) -> bool:
        """Return whether this is a redirect with a target."""
        return 300 <= self.status < 400 and bool(self.location)

    @property
    def is_page(self) -> bool:
        """Return whether this is an HTML page."""
        start = self.body.lstrip()[:15].lower()
        return "html" in self.headers.get("content-type", "").lower() or start.startswith((b"<!doctype html", b"<html"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why there is no response."""

    url: str
    kind: FailureKind
    detail: str
    addresses: Sequence[str] = ()  # IP addresses of the host, if no connection was established
    chain: Sequence[Certificate] = ()  # unverified certificates of the server, its own first, if they are untrusted


def run_in_background(function: Callable[[], T]) -> Future[T]:
    """Run a function in a daemon thread, so Ctrl-C ends the command at once."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  raised again by future.result()
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class ProbeClient:
    """An HTTP client with one time limit for all its requests; safe to share between threads.

    Args:
        progress: Context manager that is entered with `host:port` during a request.
        seconds: Time limit for all requests together.
    """

    def __init__(self, progress: Progress = lambda _: contextlib.nullcontext(), seconds: float = RUN_SECONDS) -> None:
        self._progress = progress
        self._deadline = time.monotonic() + seconds

    def send(
        self,
        target: Target,
        url: str | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response | Failure:
        """Send a GET request, or a POST request if there is a body. Redirects are not followed.

        Args:
            target: The server.
            url: The URL to request there; by default the target's own.
            body: Content to post.
            headers: Added to `HEADERS`.
        """
        url, seconds = url or target.url, self._next_limit()
        if seconds <= 0:
            return Failure(url=url, kind="silent", detail="the time limit of the whole check was reached")
        with self._progress(f"{target.host}:{target.port}"):
            exchange = _Exchange(target, url)
            outcome = exchange.run(lambda: exchange.send(body, headers or {}, seconds), seconds)
            return self._with_chain(target, outcome) if isinstance(outcome, Failure) else outcome

    def connect(self, target: Target, *, seconds: float = PROBE_SECONDS) -> Failure | None:
        """Connect to a server and verify its certificate without sending a request; return None on success."""
        with self._progress(f"{target.host}:{target.port}"):
            outcome = _Exchange(target, target.url).connect(seconds)
            return self._with_chain(target, outcome) if isinstance(outcome, Failure) else None

    def is_trusted(self, target: Target) -> bool | None:
        """Return whether the server's certificate is trusted; None if no TLS connection was possible."""
        failure = self.connect(target, seconds=max(self._next_limit(), 0.01))
        if failure is None:
            return True
        return False if failure.kind == "certificate" else None

    def _with_chain(self, target: Target, failure: Failure) -> Failure:
        """Add the certificates that a server sends, to describe them and never to trust them."""
        if failure.kind != "certificate":
            return failure
        outcome = _Exchange(target, target.url, verifies=False).connect(max(self._next_limit(), 0.01))
        ders = () if isinstance(outcome, Failure) else outcome
        return replace(failure, chain=[certificate for der in ders if (certificate := parse_certificate(der))])

    def has_time_for(self, seconds: float) -> bool:
        """Return whether at least `seconds` are left."""
        return self._next_limit() >= seconds

    def _next_limit(self) -> float:
        return min(PROBE_SECONDS, self._deadline - time.monotonic())


class _ConnectedError(Exception):
    """Ends an exchange after the TLS handshake, before anything is sent."""


class _Exchange:
    """One connection and at most one request on it."""

    def __init__(self, target: Target, url: str, *, verifies: bool = True) -> None:
        self.target, self.url, self._verifies = target, url, verifies
        self.is_connect_only = self.has_tcp_connection = False
        self.started = self.connected = time.monotonic()
        self.chain: list[bytes] = []  # DER certificates, the server's own first, and alone before Python 3.13

    def connect(self, seconds: float) -> list[bytes] | Failure:
        """Connect without a request and return the certificate chain."""

        def connect() -> list[bytes]:
            with contextlib.suppress(_ConnectedError):
                self.send(None, {}, seconds)
            return self.chain

        self.is_connect_only = True
        return self.run(connect, seconds)

    def run(self, function: Callable[[], T], seconds: float) -> T | Failure:
        """Run a function of this exchange within a time limit and describe its failure."""
        try:
            return run_in_background(function).result(seconds)
        except (OSError, HTTPError, http.client.HTTPException, ValueError) as error:
            errors = list(_causes(error))
            kind = _failure_kind(errors, has_tcp_connection=self.has_tcp_connection)
            needs_addresses = kind in ("refused", "unconnected", "network") and not self.target.proxy
            return Failure(
                url=self.url,
                kind=kind,
                detail=_failure_detail(errors, kind, seconds),
                addresses=_ip_addresses(self.target) if needs_addresses else (),
            )

    def send(self, body: bytes | None, headers: Mapping[str, str], seconds: float) -> Response:
        """Send the request and read the response."""
        method = "GET" if body is None else "POST"
        request = requests.Request(method, self.url, headers={**HEADERS, **headers}, data=body, auth=_no_auth).prepare()
        if urlsplit(self.url).path:
            request.url = self.url  # as a sign-in sends it; requests would normalize percent-encoding
        proxies = dict.fromkeys(("http", "https"), self.target.proxy) if self.target.proxy else {}
        # An exchange without verification ends before anything is sent.
        tls = tls_context(self.target.ca_file, is_exclusive=self.target.is_ca_file_exclusive, verifies=self._verifies)
        adapter = _RecordingAdapter(self, tls)
        with contextlib.closing(adapter):
            response = adapter.send(request, True, seconds, self._verifies, proxies=proxies)
            with contextlib.closing(response):
                content = response.raw.read(BODY_MAX_BYTES, decode_content=False)
            return Response(
                url=self.url,
                status=response.status_code,
                headers=CaseInsensitiveDict(reversed(list(response.raw.headers.items()))),
                body=content,
                received_at=time.time(),
                certificate=parse_certificate(self.chain[0]) if self.chain else None,
                connect_seconds=self.connected - self.started,
                answer_seconds=time.monotonic() - self.connected,
            )

    def record_connection(self, sock: socket.socket | None) -> None:
        """Keep the certificates and the time of an established connection."""
        self.connected = time.monotonic()
        if isinstance(sock, ssl.SSLSocket):
            own = sock.getpeercert(binary_form=True)
            unverified: list[bytes] = getattr(sock, "get_unverified_chain", list)()
            self.chain = unverified or ([own] if own else [])
        if self.is_connect_only:
            raise _ConnectedError


class _RecordingAdapter(HTTPAdapter):
    """Transport adapter that uses one TLS context and records its connection."""

    def __init__(self, exchange: _Exchange, tls: ssl.SSLContext) -> None:
        self._exchange, self._tls = exchange, tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, **kwargs, ssl_context=self._tls)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Leave the TLS context unchanged, because requests would add its own authorities."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _recording(pool.ConnectionCls, self._exchange)
        return pool


def _recording(base: Any, exchange: _Exchange) -> Any:
    class RecordingConnection(base):  # type: ignore[misc]  # the pool's class, for http or https
        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()
            exchange.has_tcp_connection = True
            return sock

        def connect(self) -> None:
            super().connect()
            exchange.record_connection(self.sock)

    return RecordingConnection


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send no credentials; requests would take them from the URL."""
    return request


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all those that it was raised from."""
    pending, seen = [error], set()
    while pending:
        current = pending.pop(0)
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            pending += filter(None, (current.__cause__, current.__context__))


def _failure_kind(errors: Sequence[BaseException], *, has_tcp_connection: bool) -> FailureKind:
    kinds: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], FailureKind]] = (
        ((socket.gaierror, UnicodeError, requests.exceptions.InvalidURL), "name"),
        (TimeoutError, "silent" if has_tcp_connection else "unconnected"),
        (ssl.SSLCertVerificationError, "certificate"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "refused"),
        ((http.client.HTTPException, ConnectionError), "http"),
    )
    return next((kind for types, kind in kinds if any(isinstance(one, types) for one in errors)), "network")


def _failure_detail(errors: Sequence[BaseException], kind: FailureKind, seconds: float) -> str:
    """Describe a failure in words that quote nothing from the server."""
    if kind in ("silent", "unconnected"):
        return f"no {'response' if kind == 'silent' else 'connection'} within {seconds:.0f} s"
    for error in errors:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        if isinstance(error, ssl.SSLError):
            return (error.reason or "the handshake failed").replace("_", " ").lower()
    # The innermost one names the cause. All exceptions of requests are OSErrors too.
    system = [one for one in errors if isinstance(one, OSError) and not isinstance(one, requests.RequestException)]
    return (system[-1].strerror or str(system[-1])) if system else type(errors[-1]).__name__


def _ip_addresses(target: Target) -> Sequence[str]:
    lookup = run_in_background(lambda: socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
    try:
        return list(dict.fromkeys(str(address[0]) for *_, address in lookup.result(_LOOKUP_SECONDS)))
    except (OSError, UnicodeError):
        return ()
