"""What makes a setting about CAS wrong: full addresses, extra parameters, the proxy on the way. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

from bridge.settings.urls import check_base_url

# What the bridge itself says at the sign-in or the validation, in any of the protocols: said twice it would be a
# question with two readings. `method` would make CAS answer in a form that brings no cookie along.
_OURS = frozenset({"service", "renew", "gateway", "method", "ticket", "format", "pgturl", "target", "samlart"})
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_PARAMETER_VALUE_MAX_CHARS = 1024


def _check_endpoint(url: str) -> str:
    """A whole address of CAS. It may have a query, to which ours is added."""
    base, _, query = url.partition("?")
    check_base_url(base.rstrip("/"))
    if "#" in query or not query.isascii() or re.search(r"[\s\\\"<>]", query):
        raise ValueError("holds a character that a URL may not have")
    if clash := sorted(_OURS & {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}):
        raise ValueError(f"must not hold {', '.join(clash)}: the bridge adds that itself")
    return url


def _check_parameters(parameters: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in parameters.items():
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError("has a name of other characters than letters, digits and . _ : ~ -")
        if name.lower() in _OURS:
            raise ValueError(f"{name}: the bridge sends that itself, when it has to be sent")
        if not value.isprintable() or len(value) > _PARAMETER_VALUE_MAX_CHARS:
            raise ValueError(f"{name}: is over {_PARAMETER_VALUE_MAX_CHARS} characters or has control characters")
    return parameters


def _check_proxy(url: SecretStr) -> SecretStr:
    """Never quoted: it may hold a password."""
    form = "must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
    try:
        parts = urlsplit(url.get_secret_value())
        port, login = parts.port, unquote(f"{parts.username or ''}{parts.password or ''}", errors="strict")
    except ValueError:
        raise ValueError(form) from None
    if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/") or parts.query:
        raise ValueError(form)
    if parts.fragment or not parts.netloc.isascii() or not parts.netloc.isprintable() or " " in parts.netloc:
        raise ValueError(f"{form}; a reserved character of a password is written as % and two digits")
    # RFC 7617 §2: the colon ends the user name, and control characters are not allowed at all.
    if ":" in unquote(parts.username or "") or not login.isprintable():
        raise ValueError("its user name has a colon, or one of the two has control characters")
    return url


EndpointUrl = Annotated[str, AfterValidator(_check_endpoint)]
Parameters = Annotated[Mapping[str, str], AfterValidator(_check_parameters)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_check_proxy)]
