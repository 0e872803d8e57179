"""HTTP proxy on the way to CAS. It comes from the settings, never from the environment.

For https the proxy opens a tunnel (RFC 9110 §9.3.6). TLS runs through it to CAS, whose certificate is verified. Only
the proxy receives the proxy credentials.
"""

import base64
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

RESPONSE_MAX_BYTES = 16 * 1024
GATEWAY_ERRORS = frozenset({407, 502, 503, 504})
"""Statuses that a proxy returns by itself when it did not reach the server."""


class ProxyError(OSError):
    """The proxy opened no tunnel. The text names the proxy and its status, and quotes nothing that it sent."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the headers that authenticate to it."""

    name: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"http://{format_host(self.name)}:{self.port}"


def parse_proxy_url(url: str) -> Proxy:
    """Parse an `http://` URL; its credentials become a header (RFC 7617)."""
    parts = urlsplit(url)
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or 80, headers)


def open_tunnel(sock: socket.socket, proxy: Proxy, authority: str, deadline: float) -> None:
    """Open a tunnel to `host:port` through a connected proxy, or raise ProxyError or TimeoutError."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "User-Agent: Passerelle"]
    lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
    sock.settimeout(seconds_left(deadline))
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    response = b""
    while (end := response.find(b"\r\n\r\n")) < 0:
        if len(response) > RESPONSE_MAX_BYTES:
            raise ProxyError(f"the proxy {proxy} sent an endless response header")
        sock.settimeout(seconds_left(deadline))
        received = sock.recv(4096)
        if not received:
            raise ProxyError(f"the proxy {proxy} closed the connection")
        response += received
    version, _, rest = response.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3].decode("ascii", "replace")
    if not version.startswith(b"HTTP/1.") or not status.isdecimal():
        raise ProxyError(f"the proxy {proxy} sent invalid HTTP")
    if not 200 <= int(status) < 300:
        raise ProxyError(f"the proxy {proxy} returned {status}{credentials_hint(int(status))}")
    if len(response) > end + 4:
        # The server speaks only after our TLS greeting, so these bytes come from the proxy and are no part of TLS.
        raise ProxyError(f"the proxy {proxy} sent data after its response header")


def credentials_hint(status: int) -> str:
    """Return a hint for status 407, or an empty string."""
    return "; it requires a user and a password, or rejects those of cas_proxy" if status == 407 else ""


def format_host(name: str) -> str:
    """Return a host name as in URLs, with IPv6 addresses in brackets."""
    return f"[{name}]" if ":" in name else name


def seconds_left(deadline: float) -> float:
    """Return the seconds until a deadline on the monotonic clock, or raise TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
