"""HTTP connections with a total time limit, to CAS and for back-channel logout.

They have no redirects, cookies, environment proxies, .netrc, retries or logged URLs.
"""

import contextlib
import functools
import http.client
import io
import queue
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from bridge.proxy import Proxy, format_host, open_tunnel, seconds_left

# `urlsplit` costs several times as much, for each ticket.
_ORIGIN = re.compile(r"[A-Za-z]+://[^/?]*")
_system_authorities = functools.cache(ssl.create_default_context)
_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close", "User-Agent": "Passerelle"}


@dataclass(frozen=True, slots=True)
class Host:
    """A server, with TLS and the proxy on the way to it."""

    name: str
    port: int
    tls: ssl.SSLContext | None
    proxy: Proxy | None = None
    """Reads plain http traffic; of https it sees only the host name."""

    def __str__(self) -> str:
        through = f" through the proxy {self.proxy}" if self.proxy else ""
        return f"{'https' if self.tls else 'http'}://{self.name}:{self.port}{through}"

    def connect(self, deadline: float) -> "TimedConnection":
        """Open a connection, or raise OSError; TimeoutError after the deadline."""
        first: Host | Proxy = self.proxy or self
        sock = _open_socket(_addresses(first.name, first.port, deadline), deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls and self.proxy:
                open_tunnel(sock, self.proxy, f"{format_host(self.name)}:{self.port}", deadline)
            if self.tls:
                # OpenSSL applies the socket timeout to the whole handshake.
                sock.settimeout(seconds_left(deadline))
                sock = self.tls.wrap_socket(sock, server_hostname=self.name)
        except BaseException:
            sock.close()
            raise
        return TimedConnection(self, sock)


class TimedConnection(http.client.HTTPConnection):
    """An open connection. It never reconnects, so that a request is never sent twice."""

    auto_open = 0

    def __init__(self, host: Host, sock: socket.socket) -> None:
        super().__init__(host.name, host.port)
        # http.client omits the default port from the Host header.
        self.default_port = 443 if host.tls else 80
        self.sock = sock
        self.idle_since = 0.0
        self._deadline = 0.0
        self._proxy = None if host.tls else host.proxy
        self.response_class = cast(Any, self._timed_response)

    def begin_exchange(self, seconds: float) -> None:
        """Start the time limit for a request and its complete response."""
        self._deadline = time.monotonic() + seconds
        self.sock.settimeout(seconds)

    def send_request(self, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> None:
        """Send a GET, or a POST if there is a body."""
        start = _ORIGIN.match(url)
        origin = start[0] if start else ""
        target = url[len(origin) :]
        target = target if target.startswith("/") else f"/{target}"
        if self._proxy:  # without TLS the proxy needs the absolute URL and its credentials (RFC 9112 §3.2.2)
            target = f"{origin}{target}"
            headers = {**headers, **self._proxy.headers}
        self.request("GET" if body is None else "POST", target, body, dict(headers))

    def is_stale(self) -> bool:
        """Return whether the server closed the idle connection or sent unsolicited data."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _timed_response(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        timed = cast(socket.socket, _TimedReader(sock, self._deadline))
        return http.client.HTTPResponse(timed, *args, **kwargs)


class _TimedReader(io.RawIOBase):
    """Reader that limits all reads together. A timeout per read would restart with every byte."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        # The socket's own file keeps the socket open until the body is read.
        self._file = sock.makefile("rb", buffering=0)
        self._sock, self._deadline = sock, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the file that `HTTPResponse` requests from a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(seconds_left(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class NoResponse(Exception):  # noqa: N818  describes what happened
    """There was no response. The text quotes nothing that the server sent, so it is fit for logs."""


def post_form(url: str, form: str, *, seconds: float) -> int:
    """Post a form and return the status; raise NoResponse if there is none within `seconds` in total.

    The body is not read, and certificates are always verified.
    """
    try:
        parts = urlsplit(url)
        tls = _system_authorities() if parts.scheme == "https" else None
        host = Host(parts.hostname or "", parts.port or (443 if tls else 80), tls)
        deadline = time.monotonic() + seconds
        with contextlib.closing(host.connect(deadline)) as connection:
            connection.begin_exchange(seconds_left(deadline))
            connection.send_request(url, headers=_FORM_HEADERS, body=form.encode())
            with connection.getresponse() as response:
                return response.status
    except TimeoutError:
        raise NoResponse(f"no response within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoResponse(f"its certificate is not trusted: {error.verify_message}") from None
    except OSError as error:
        raise NoResponse(f"no connection: {error.strerror or error}") from None
    except http.client.HTTPException as error:
        raise NoResponse(f"invalid HTTP ({type(error).__name__})") from None


def _addresses(name: str, port: int, deadline: float) -> list[Any]:
    """Resolve a host name in a thread, because `getaddrinfo` has no timeout."""
    result: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            result.put(list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            result.put(error if isinstance(error, OSError) else OSError(f"not a host name: {name}"))

    threading.Thread(target=resolve, daemon=True, name="resolve").start()
    try:
        found = result.get(timeout=seconds_left(deadline))
    except queue.Empty:
        raise TimeoutError(f"resolving {name} timed out") from None
    if isinstance(found, OSError):
        raise found
    return found


def _open_socket(addresses: list[Any], deadline: float) -> socket.socket:
    """Connect to the first address that accepts. Each gets an equal share of the time left."""
    failure: OSError = OSError("the host name has no IP address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(seconds_left(deadline) / (len(addresses) - position))
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            failure = error
        else:
            return sock
    raise failure
