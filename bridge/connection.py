"""One connection on which time is bounded as a whole, not per read: to CAS, and to clients that are told of a logout.

Has none of what must be off there anyway: redirects, cookies, environment proxies, .netrc, retries, logged URLs.
"""

from __future__ import annotations

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

# The library's own splitter costs several times that, for each ticket.
_ORIGIN = re.compile(r"[A-Za-z]+://[^/?]*")


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server is, and how to get there."""

    name: str
    port: int
    tls: ssl.SSLContext | None
    proxy: Proxy | None = None
    """On the way there. It sees what is sent over plain http, and of https no more than the host's name."""

    def __str__(self) -> str:
        through = f" through the proxy {self.proxy}" if self.proxy else ""
        return f"{'https' if self.tls else 'http'}://{self.name}:{self.port}{through}"

    def connect(self, deadline: float) -> TimedConnection:
        """A connection ready for the question. Raises OSError; TimeoutError once the deadline has passed."""
        first: Host | Proxy = self.proxy or self
        sock = _open_socket(_addresses(first.name, first.port, deadline), deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls and self.proxy:
                open_tunnel(sock, self.proxy, f"{format_host(self.name)}:{self.port}", deadline)
            if self.tls:
                # OpenSSL's handshake takes the socket's timeout as the time for the whole handshake.
                sock.settimeout(seconds_left(deadline))
                sock = self.tls.wrap_socket(sock, server_hostname=self.name)
        except BaseException:
            sock.close()
            raise
        return TimedConnection(self, sock)


class TimedConnection(http.client.HTTPConnection):
    """An open connection. It never opens itself again: a lost one is gone, with what it carried."""

    auto_open = 0

    def __init__(self, host: Host, sock: socket.socket) -> None:
        super().__init__(host.name, host.port)
        # http.client leaves the port out of the Host header when it is the scheme's own.
        self.default_port = 443 if host.tls else 80
        self.sock = sock
        self.idle_since = 0.0
        self._deadline = 0.0
        self._proxy = None if host.tls else host.proxy
        self.response_class = cast(Any, self._timed_response)

    def begin_exchange(self, seconds: float) -> None:
        """Start the clock for one question and its complete answer."""
        self._deadline = time.monotonic() + seconds
        self.sock.settimeout(seconds)

    def ask(self, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> None:
        """Send a question to this host: a GET, or with a body a POST."""
        start = _ORIGIN.match(url)
        origin = start[0] if start else ""
        target = url[len(origin) :]
        target = target if target.startswith("/") else f"/{target}"
        if self._proxy:  # without TLS the proxy has to be told where to, and who asks (RFC 9112 §3.2.2)
            target = f"{origin}{target}"
            headers = {**headers, **self._proxy.headers}
        self.request("GET" if body is None else "POST", target, body, dict(headers))

    def is_stale(self) -> bool:
        """Whether the server has closed it (or said something unasked) while it was idle."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _timed_response(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        timed = cast(socket.socket, _TimedSocket(sock, self._deadline))
        return http.client.HTTPResponse(timed, *args, **kwargs)


class _TimedSocket:
    """What an HTTPResponse needs of a socket: a file to read from, here with a deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # always "rb"
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedReader(io.RawIOBase):
    """Gives every read what is left of the deadline. A timeout per read would start anew with every byte."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        # The socket's own file is kept beneath, because it holds the socket open until the body is read.
        self._file = sock.makefile("rb", buffering=0)
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(seconds_left(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class NoResponse(Exception):  # noqa: N818  it says what happened
    """A text fit for logs: it quotes nothing that the server sent."""


def post_form(url: str, form: str, *, seconds: float) -> int:
    """Send a form and return the status of the answer, whose body is not read. Certificates are always verified.

    :raises NoResponse: when there was none within `seconds`, over connecting, sending and waiting
    """
    try:
        parts = urlsplit(url)
        tls = _system_authorities() if parts.scheme == "https" else None
        host = Host(parts.hostname or "", parts.port or (443 if tls else 80), tls)
        return _status_of_post(host, url, form, time.monotonic() + seconds)
    except TimeoutError:
        raise NoResponse(f"no answer within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoResponse(f"its certificate is not trusted: {error.verify_message}") from None
    except OSError as error:
        raise NoResponse(f"no connection: {error.strerror or error}") from None
    except http.client.HTTPException as error:
        raise NoResponse(f"it does not speak proper HTTP ({type(error).__name__})") from None


def _status_of_post(host: Host, url: str, form: str, deadline: float) -> int:
    connection = host.connect(deadline)
    try:
        connection.begin_exchange(seconds_left(deadline))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
        connection.ask(url, headers=headers | {"User-Agent": "Passerelle"}, body=form.encode())
        with connection.getresponse() as response:
            return response.status
    finally:
        connection.close()


@functools.cache
def _system_authorities() -> ssl.SSLContext:
    return ssl.create_default_context()


def _addresses(name: str, port: int, deadline: float) -> list[Any]:
    """Resolve in a thread of its own, since the resolver knows no time limit."""
    answer: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answer.put(list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else OSError(f"not a host name: {name}"))

    threading.Thread(target=resolve, daemon=True, name="resolve").start()
    try:
        found = answer.get(timeout=seconds_left(deadline))
    except queue.Empty:
        raise TimeoutError(f"the address of {name} was not found in time") from None
    if isinstance(found, OSError):
        raise found
    return found


def resolve_addresses(name: str, port: int, *, seconds: float) -> list[str]:
    """The IP addresses of a host name, as text; none when they cannot be found in time."""
    try:
        found = _addresses(name, port, time.monotonic() + seconds)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _open_socket(addresses: list[Any], deadline: float) -> socket.socket:
    """Try each address with a fair share of the time left, so that a dead one does not use it all."""
    failure: OSError = OSError("the host name has no address")
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
