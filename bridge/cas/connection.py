"""One connection to CAS on which time is bounded as a whole, not per read. Used by `client` only."""

from __future__ import annotations

import http.client
import io
import queue
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Host:
    """Where CAS is, and how to get there."""

    name: str
    port: int
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.name}:{self.port}"

    def connect(self, deadline: float) -> CasConnection:
        """A connection ready for the question. Raises OSError; TimeoutError once the deadline has passed."""
        sock = _open_socket(_addresses(self.name, self.port, deadline), deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                # OpenSSL's handshake takes the socket's timeout as the time for the whole handshake.
                sock.settimeout(_left(deadline))
                sock = self.tls.wrap_socket(sock, server_hostname=self.name)
        except BaseException:
            sock.close()
            raise
        return CasConnection(self, sock)


class CasConnection(http.client.HTTPConnection):
    """An open connection. It never opens itself again: a lost one is gone, with the ticket it carried."""

    auto_open = 0

    def __init__(self, host: Host, sock: socket.socket) -> None:
        super().__init__(host.name, host.port)
        # http.client leaves the port out of the Host header when it is the scheme's own.
        self.default_port = 443 if host.tls else 80
        self.sock = sock
        self.idle_since = 0.0
        self._deadline = 0.0
        self.response_class = cast(Any, self._timed_response)

    def begin_exchange(self, seconds: float) -> None:
        """Start the clock for one question and its complete answer."""
        self._deadline = time.monotonic() + seconds
        self.sock.settimeout(seconds)

    def is_stale(self) -> bool:
        """Whether CAS has closed it (or said something unasked) while it was idle."""
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
        self._sock.settimeout(_left(self._deadline))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time allowed is over")
    return left


def _addresses(name: str, port: int, deadline: float) -> list[Any]:
    """Resolve in a thread of its own, since the resolver knows no time limit."""
    answer: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answer.put(list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else OSError(f"not a host name: {name}"))

    threading.Thread(target=resolve, daemon=True, name="resolve-cas").start()
    try:
        found = answer.get(timeout=_left(deadline))
    except queue.Empty:
        raise TimeoutError(f"the address of {name} was not found in time") from None
    if isinstance(found, OSError):
        raise found
    return found


def _open_socket(addresses: list[Any], deadline: float) -> socket.socket:
    """Try each address with a fair share of the time left, so that a dead one does not use it all."""
    failure: OSError = OSError("the host name has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline) / (len(addresses) - position))
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            failure = error
        else:
            return sock
    raise failure
