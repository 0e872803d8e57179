"""Validation of URLs, addresses and CAS parameters in the settings."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

# Splits as SQLAlchemy does, which this package must not import.
_SERVER = re.compile(
    r"[a-z+]+://([^:/@]*(:[^@]*)?@)?(\[[^/?\]]+\]|[^/:?@]*)(:(?P<port>[0-9]{0,6}))?(/[^?]*)?(\?.*)?", re.DOTALL
)
# Parameters that the bridge sends itself, in any protocol: a duplicate would be ambiguous. `method` would make CAS
# respond with a cross-site form post, which carries no cookie.
_RESERVED = frozenset({"service", "renew", "gateway", "method", "ticket", "format", "pgturl", "target", "samlart"})
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_PARAMETER_VALUE_MAX_CHARS = 1024


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


def _check_base_url(url: str) -> None:
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


def _check_issuer(url: str) -> str:
    _check_base_url(url)
    # Browsers, proxies or servers could normalize any other path.
    segments = urlsplit(url).path.split("/")[1:]
    if any(not re.fullmatch(r"[A-Za-z0-9._~-]+", segment) or segment in (".", "..") for segment in segments):
        raise ValueError("may have only letters, digits and - . _ ~ between the slashes of its path")
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname):
        raise ValueError("must be https: http is accepted for loopback hosts only")
    return url


def _check_cas_url(url: str) -> str:
    url = url.rstrip("/")
    _check_base_url(url)
    if url.endswith("/login"):
        raise ValueError("is the login page: remove /login at the end")
    return url


def _check_bind(bind: str) -> str:
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError("must be host:port with a port from 1 to 65535, e.g. 127.0.0.1:8000 or [::1]:8000")
    return bind


def check_database_url(secret: SecretStr) -> SecretStr:
    """Reject an invalid database URL with a ValueError that does not quote it."""
    url = secret.get_secret_value()
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
    return secret


def _check_endpoint(url: str) -> str:
    """Validate a full URL of CAS. It may have a query, to which parameters are appended."""
    base, _, query = url.partition("?")
    _check_base_url(base.rstrip("/"))
    if "#" in query or not query.isascii() or re.search(r"[\s\\\"<>]", query):
        raise ValueError("has a character that is not allowed in a URL")
    if clash := sorted(_RESERVED & {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}):
        raise ValueError(f"must not have {', '.join(clash)}: the bridge adds it")
    return url


def _check_parameters(parameters: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in parameters.items():
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError("has a name with characters other than letters, digits and . _ : ~ -")
        if name.lower() in _RESERVED:
            raise ValueError(f"{name}: the bridge sends this parameter itself")
        if not value.isprintable() or len(value) > _PARAMETER_VALUE_MAX_CHARS:
            raise ValueError(f"{name}: exceeds {_PARAMETER_VALUE_MAX_CHARS} characters or has control characters")
    return parameters


def _check_proxy(url: SecretStr) -> SecretStr:
    """Validate a proxy URL. Errors never quote it, because it can hold a password."""
    form = "must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
    try:
        parts = urlsplit(url.get_secret_value())
        port, login = parts.port, unquote(f"{parts.username or ''}{parts.password or ''}", errors="strict")
    except ValueError:
        raise ValueError(form) from None
    if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/") or parts.query:
        raise ValueError(form)
    if parts.fragment or not parts.netloc.isascii() or not parts.netloc.isprintable() or " " in parts.netloc:
        raise ValueError(f"{form}; percent-encode reserved characters of a password")
    # RFC 7617 §2: a colon ends the user, and control characters are not allowed.
    if ":" in unquote(parts.username or "") or not login.isprintable():
        raise ValueError("the user has a colon, or user or password have control characters")
    return url


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


Issuer = Annotated[str, AfterValidator(_check_issuer)]
CasUrl = Annotated[str, AfterValidator(_check_cas_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(check_database_url)]
Bind = Annotated[str, AfterValidator(_check_bind)]
EndpointUrl = Annotated[str, AfterValidator(_check_endpoint)]
Parameters = Annotated[Mapping[str, str], AfterValidator(_check_parameters)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_check_proxy)]
