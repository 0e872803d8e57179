"""Validation of URLs in the settings."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Splits as SQLAlchemy does, which this package must not import.
_SERVER = re.compile(
    r"[a-z+]+://([^:/@]*(:[^@]*)?@)?(\[[^/?\]]+\]|[^/:?@]*)(:(?P<port>[0-9]{0,6}))?(/[^?]*)?(\?.*)?", re.DOTALL
)


def is_loopback(host: str | None) -> bool:
    """Return whether a host name means this machine (RFC 6761 §6.3 for `*.localhost`)."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(url: str) -> None:
    """Reject anything but an http(s) URL with a host and an optional path, with a ValueError."""
    try:
        parts = urlsplit(url)
        readable = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not readable:
        raise ValueError("must be a URL like https://auth.example.org")
    if parts.username is not None or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("must not have a user name, '?' or '#'")
    if url.endswith("/"):
        raise ValueError(f"must not end in '/': write {url.rstrip('/')}")
    if not url.isascii() or re.search(r"[\s\\\"<>]", url):
        raise ValueError("has a character that is not allowed in a URL")


def check_issuer_path(url: str) -> None:
    """Reject paths that browsers, proxies or servers could normalize, with a ValueError."""
    segments = urlsplit(url).path.split("/")[1:]
    if any(not re.fullmatch(r"[A-Za-z0-9._~-]+", segment) or segment in (".", "..") for segment in segments):
        raise ValueError("may have only letters, digits and - . _ ~ between the slashes of its path")


def check_database_url(url: str) -> None:
    """Reject an invalid database URL with a ValueError that does not quote it."""
    if not re.match(r"(sqlite:///|postgresql(\+psycopg)?://).+", url):
        raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    if ":memory:" in url or "mode=memory" in url:
        raise ValueError("must be a file, because workers share the database and it must survive restarts")
    if url.startswith("postgresql"):
        server = _SERVER.fullmatch(url)
        if server is None or int(server["port"] or 5432) not in range(1, 65536):
            raise ValueError(
                "is invalid: the port must be a number from 1 to 65535, and '@', ':' or '/' in a password must be "
                "written as %40, %3A, %2F"
            )


def redirect_uri_fault(uri: str) -> str | None:
    """Return why a redirect URI must not be registered (RFC 9700 §2.1, RFC 8252 §7), or None."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "is not a URI"
    host, scheme = parts.hostname, parts.scheme
    is_native_scheme = "." in scheme and bool(parts.path or parts.netloc)
    faults = {
        "has a wildcard, space, quote or non-ASCII character": not uri.isascii() or re.search(r"[\s\\\"<>*]", uri),
        "has several URIs: list them separately": re.match(r"[^?]*[,;]https?://", uri),
        "has a fragment: remove '#' and the rest": "#" in uri,
        "has a user name or password: remove it": "@" in parts.netloc,
        "is plain http: use https (http is for loopback hosts only)": scheme == "http" and not is_loopback(host),
        "needs https, http on a loopback host, or a native scheme like org.example.app:/cb": not (
            is_native_scheme or (scheme in ("http", "https") and host)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)
