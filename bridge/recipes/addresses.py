"""The address that an application has, as its administrator types it. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from bridge.settings.urls import is_loopback

_USUAL_PORTS = {"http": 80, "https": 443}
_NOT_IN_ADDRESSES = r"\\\"'<>*{}|^`$;"


def application_url(typed: str) -> str:
    """The address without what does not matter: a slash at the end, capitals in the host, a port that is the usual one.

    :raises ValueError: when codes cannot be sent there, with one sentence that says why and what to type instead
    """
    typed = typed.strip()
    if not typed.isascii():
        raise ValueError(
            "has letters that a URL may not have: write the host as browsers send it (xn--…), paths with %"
        )
    if re.search(rf"[\s{_NOT_IN_ADDRESSES}]|%(?![0-9A-Fa-f]{{2}})", typed) or not typed.isprintable():
        raise ValueError("has a space, wildcard, quote or other character that no address of an application has")
    try:
        parts = urlsplit(typed)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("is not a URL: it has to look like https://app.example.org") from None
    if parts.scheme not in _USUAL_PORTS or not host or not typed.partition(":")[2].startswith("//"):
        bare = re.match(r"(?:https?:/*)?([\w.-]+\.[\w-]+(?::\d+)?(?:/.*)?)$", typed)
        raise ValueError(f"is not complete: it has to look like https://{bare[1] if bare else 'app.example.org'}")
    check_parts(typed, parts.scheme, host, port)
    shown = f"[{host}]" if ":" in host else host
    end = "" if port in (None, _USUAL_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{end}{parts.path.rstrip('/')}"


def check_parts(typed: str, scheme: str, host: str, port: int | None) -> None:
    """What a URL may have and an application's address may not."""
    if "@" in urlsplit(typed).netloc:
        raise ValueError("has a user name in it: leave out everything up to the '@'")
    if "#" in typed or "?" in typed:
        raise ValueError(f"goes on after the path: leave out everything from the {'?' if '?' in typed else '#'} on")
    if scheme == "http" and not is_loopback(host):
        raise ValueError(
            "is plain http, so that anybody on the way could take the sign-in over: the application needs https first "
            "(http is for this machine alone: localhost, 127.0.0.1)"
        )
    if port == 0 or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host):
        raise ValueError("has a host or a port that nothing can be reached at")
    check_path(urlsplit(typed).path)


def check_path(path: str) -> None:
    """Read as browsers and servers do, with each `%` undone: some compare paths so, and take wildcards in them."""
    try:
        read = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a % in its path that is not UTF-8: write the path as browsers show it") from None
    if re.search(r"(^|/)\.{1,2}(/|$)|//", read) or "%2f" in path.lower():
        raise ValueError("has '//', '..' or %2F in its path: write the path as the application itself sends it")
    if re.search(rf"[{_NOT_IN_ADDRESSES}?#\[\]]", read) or not read.isprintable():
        raise ValueError("has a wildcard, quote or other character in its path that applications are not found by")
