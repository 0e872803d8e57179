"""The address of the client, for rate limits and the log; no URL depends on it.

Each reverse proxy appends the address of its peer to `X-Forwarded-For`, some with a port, brackets or quotes. If that
address cannot be read, the address of the direct peer counts.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

IPV6_SITE_BITS = 64  # one customer owns the remaining bits
MAX_CHARS = 64  # more than an IPv6 address with brackets, port, quotes and zone
CACHED = 1024  # addresses, because each request needs its own three times


class ClientAddress:
    """WSGI middleware that sets `REMOTE_ADDR` to the address that the outermost trusted proxy reports."""

    def __init__(self, app: Any, proxy_hops: int) -> None:
        self._app = app
        self.proxy_hops = proxy_hops

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass the request on."""
        environ["REMOTE_ADDR"] = client_address(environ, self.proxy_hops)
        result: Iterable[bytes] = self._app(environ, start_response)
        return result


def client_address(environ: dict[str, Any], proxy_hops: int) -> str:
    """Return the address that the outermost trusted proxy reports, or else that of the direct peer."""
    peer: str = environ.get("REMOTE_ADDR", "")
    reported = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    trusted = reported[-proxy_hops] if 0 < proxy_hops <= len(reported) else ""
    address = parse_address(trusted) or parse_address(peer)
    return peer if address is None else str(address)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address with or without port, brackets, quotes and zone; return None if it is none."""
    return _parse(text) if len(text) <= MAX_CHARS else None


@lru_cache(maxsize=CACHED)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
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
    """Return the key under which requests and failures of an address are counted: an IPv4 address, or an IPv6 site."""
    return _limit_key(text[:MAX_CHARS])


@lru_cache(maxsize=CACHED)
def _limit_key(text: str) -> str:
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_SITE_BITS), strict=False))
    return text if address is None else str(address)
