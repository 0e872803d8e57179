"""An http proxy between this server and another: only where the settings name one, never from the environment.

For https the proxy opens a tunnel (RFC 9110 §9.3.6) and TLS is spoken through it with the other end, whose certificate
is verified as ever. The proxy's own user and password go to the proxy alone.
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

ANSWER_MAX_BYTES = 16 * 1024
REFUSALS = frozenset({407, 502, 503, 504})
"""What a proxy answers in the name of a server that it did not ask, or could not."""


class ProxyRefused(OSError):  # noqa: N818  it says what happened
    """No tunnel came about. The text names the proxy and its status, and quotes nothing that it sent."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and what it wants to be told."""

    name: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"http://{format_host(self.name)}:{self.port}"


def parse_proxy_url(url: str) -> Proxy:
    """The proxy of an `http://` URL; its user and password become a header (RFC 7617)."""
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or 80, headers)


def open_tunnel(sock: socket.socket, proxy: Proxy, authority: str, deadline: float) -> None:
    """Ask the proxy behind `sock` for a way through to `authority`, a `host:port`.

    :param deadline: of the monotonic clock
    :raises ProxyRefused: when it does not give one
    :raises TimeoutError: when it has not by the deadline
    """
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "User-Agent: Passerelle"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    sock.settimeout(seconds_left(deadline))
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0:
        if len(answer) > ANSWER_MAX_BYTES:
            raise ProxyRefused(f"the proxy {proxy} gave no end to its answer")
        sock.settimeout(seconds_left(deadline))
        received = sock.recv(4096)
        if not received:
            raise ProxyRefused(f"the proxy {proxy} closed the connection")
        answer += received
    version, _, rest = answer.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3].decode("ascii", "replace")
    if not version.startswith(b"HTTP/1.") or not status.isdecimal():
        raise ProxyRefused(f"the proxy {proxy} does not speak proper HTTP")
    if not 200 <= int(status) < 300:
        wants = "; it wants a user and a password, or others than these" if status == "407" else ""
        raise ProxyRefused(f"the proxy {proxy} answered {status}{wants}")
    if len(answer) > end + 4:
        # The server behind it waits for our greeting. What comes unasked is the proxy's, and no part of TLS.
        raise ProxyRefused(f"the proxy {proxy} said more than its answer")


def format_host(name: str) -> str:
    """A host name as URLs have it: IPv6 addresses in brackets."""
    return f"[{name}]" if ":" in name else name


def seconds_left(deadline: float) -> float:
    """Until the deadline, which the monotonic clock tells; TimeoutError once it is past."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time allowed is over")
    return left
