"""What makes a URL of the settings wrong. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


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
        "has a fragment: take away the part from '#' on": "#" in uri,
        "holds a user name or password: take it away": "@" in parts.netloc,
        "is plain http: use https (http is for loopback hosts only)": scheme == "http" and not is_loopback(host),
        "needs https, http on a loopback host, or a native scheme like org.example.app:/cb": not (
            is_native_scheme or (scheme in ("http", "https") and host)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)
