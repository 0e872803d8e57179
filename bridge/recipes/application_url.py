"""The URL of an application, as an administrator types it."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from bridge.settings.urls import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = r"\\\"'<>*{}|^`$;"


def application_url(typed: str) -> str:
    """Return the URL without a trailing slash, a default port, or capitals in the host.

    Raises:
        ValueError: If codes cannot be sent there. The message completes "The URL …" and says what to type instead.
    """
    typed = typed.strip()
    if not typed.isascii():
        raise ValueError("contains non-ASCII characters: write the host in punycode (xn--…) and the path with %")
    if re.search(rf"[\s{_FORBIDDEN}]|%(?![0-9A-Fa-f]{{2}})", typed) or not typed.isprintable():
        raise ValueError("contains a space, wildcard, quote or other character that is not allowed here")
    try:
        parts = urlsplit(typed)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("is not valid: type it like https://app.example.org") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or not typed.partition(":")[2].startswith("//"):
        bare = re.match(r"(?:https?:/*)?([\w.-]+\.[\w-]+(?::\d+)?(?:/.*)?)$", typed)
        raise ValueError(f"is not complete: type it like https://{bare[1] if bare else 'app.example.org'}")
    _check_parts(typed, parts.scheme, host, port)
    _check_path(parts.path)
    shown = f"[{host}]" if ":" in host else host
    end = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{end}{parts.path.rstrip('/')}"


def _check_parts(typed: str, scheme: str, host: str, port: int | None) -> None:
    if "@" in urlsplit(typed).netloc:
        raise ValueError("contains a user name: leave out everything up to the '@'")
    if "#" in typed or "?" in typed:
        raise ValueError(f"continues after the path: leave out everything from the {'?' if '?' in typed else '#'} on")
    if scheme == "http" and not is_loopback(host):
        raise ValueError(
            "is plain http, which lets an attacker on the network intercept the sign-in: use https. "
            "http is allowed on this machine only (localhost, 127.0.0.1)"
        )
    if port == 0 or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host):
        raise ValueError("has an invalid host or a port of 0")


def _check_path(path: str) -> None:
    """Check the decoded path, because some servers compare decoded paths and accept wildcards in them."""
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a % sequence in its path that is not UTF-8: copy the path from the browser") from None
    if re.search(r"(^|/)\.{1,2}(/|$)|//", decoded) or "%2f" in path.lower():
        raise ValueError("has '//', '..' or %2F in its path: write the path as the application itself sends it")
    if re.search(rf"[{_FORBIDDEN}?#\[\]]", decoded) or not decoded.isprintable():
        raise ValueError("has a wildcard, quote or other character in its path that is not allowed here")
