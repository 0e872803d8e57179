"""What makes a URL of the settings wrong. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# As SQLAlchemy splits it: the settings know nothing of it.
_SERVER = re.compile(
    r"[a-z+]+://([^:/@]*(:[^@]*)?@)?(\[[^/?\]]+\]|[^/:?@]*)(:(?P<port>[0-9]{0,6}))?(/[^?]*)?(\?.*)?", re.DOTALL
)


def is_loopback(host: str | None) -> bool:
    """Whether a host name can only mean this machine (RFC 6761 §6.3 for `*.localhost`)."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """A base URL is http(s) with a host and nothing after the path; ValueError says what is wrong."""
    try:
        parts = urlsplit(url)
        readable = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not readable:
        raise ValueError("must be a URL like https://auth.example.org")
    if parts.username is not None or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("must not hold a user name, '?' or '#'")
    if url.endswith("/"):
        raise ValueError(f"must not end in '/': write {url.rstrip('/')}")
    if not url.isascii() or re.search(r"[\s\\\"<>]", url):
        raise ValueError("holds a character that a URL may not have")


def check_issuer_path(url: str) -> None:
    """One that browsers, proxies and servers all leave as it is written; ValueError says what else it may not be."""
    segments = urlsplit(url).path.split("/")[1:]
    if any(not re.fullmatch(r"[A-Za-z0-9._~-]+", segment) or segment in (".", "..") for segment in segments):
        raise ValueError("may have letters, digits and - . _ ~ between the slashes of its path, and nothing else")


def check_database_url(url: str) -> None:
    """SQLite's or PostgreSQL's, as the driver will read it; ValueError says what is wrong, and never quotes it."""
    if not re.match(r"(sqlite:///|postgresql(\+psycopg)?://).+", url):
        raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    if ":memory:" in url or "mode=memory" in url:
        raise ValueError("must be a file: the workers share it, and it has to survive a restart")
    if url.startswith("postgresql"):
        server = _SERVER.fullmatch(url)
        if server is None or int(server["port"] or 5432) not in range(1, 65536):
            raise ValueError(
                "names no server that can be read: the port has to be a number from 1 to 65535, and '@', ':' or '/' "
                "in a password be written as %40, %3A, %2F"
            )


def redirect_uri_fault(uri: str) -> str | None:
    """Why a redirect URI may not be registered (RFC 9700 §2.1, RFC 8252 §7), or None."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "is not a URI"
    host, scheme = parts.hostname, parts.scheme
    is_native_scheme = "." in scheme and bool(parts.path or parts.netloc)
    faults = {
        "holds a wildcard, space, quote or non-ASCII character": not uri.isascii() or re.search(r"[\s\\\"<>*]", uri),
        "is more than one address: give each by itself": re.match(r"[^?]*[,;]https?://", uri),
        "has a fragment: take away the part from '#' on": "#" in uri,
        "holds a user name or password: take it away": "@" in parts.netloc,
        "is plain http: use https (http is for loopback hosts only)": scheme == "http" and not is_loopback(host),
        "needs https, http on a loopback host, or a native scheme like org.example.app:/cb": not (
            is_native_scheme or (scheme in ("http", "https") and host)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)
