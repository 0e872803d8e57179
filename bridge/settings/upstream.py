"""Validation of the CAS settings: endpoint URLs, extra parameters and the proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

from bridge.settings.urls import check_base_url

# Parameters that the bridge sends itself, in any protocol: a duplicate would be ambiguous. `method` would make CAS
# respond with a cross-site form post, which carries no cookie.
_RESERVED = frozenset({"service", "renew", "gateway", "method", "ticket", "format", "pgturl", "target", "samlart"})
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_PARAMETER_VALUE_MAX_CHARS = 1024


def _check_endpoint(url: str) -> str:
    """Validate a full URL of CAS. It may have a query, to which parameters are appended."""
    base, _, query = url.partition("?")
    check_base_url(base.rstrip("/"))
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


EndpointUrl = Annotated[str, AfterValidator(_check_endpoint)]
Parameters = Annotated[Mapping[str, str], AfterValidator(_check_parameters)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_check_proxy)]
