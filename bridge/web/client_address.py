"""The address of the client, for rate limits and the log; no URL depends on it.

Each reverse proxy appends the address of its peer to `X-Forwarded-For`, some with a port, brackets or quotes. If that
address cannot be read, the address of the direct peer counts.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

IPV6_SITE_BITS = 64  # one customer owns the remaining bits


class ClientAddress:
    """WSGI middleware that sets `REMOTE_ADDR` to the address that the outermost trusted proxy reports."""

    def __init__(self, app: Any, proxy_hops: int) -> None:
        self._app = app
        self.proxy_hops = proxy_hops

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass the request on."""
        peer = environ.get("REMOTE_ADDR", "")
        reported = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        trusted = reported[-self.proxy_hops] if 0 < self.proxy_hops <= len(reported) else ""
        address = parse_address(trusted) or parse_address(peer)
        environ["REMOTE_ADDR"] = peer if address is None else str(address)
        result: Iterable[bytes] = self._app(environ, start_response)
        return result


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address with or without port, brackets, quotes and zone; return None if it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def limit_key(text: str) -> str:
    """Return the key under which failures of an address are counted: an IPv4 address, or an IPv6 site."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_SITE_BITS), strict=False))
    return text[:64] if address is None else str(address)
