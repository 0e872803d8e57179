"""OpenID Connect discovery at the start of the hub, with a stored copy for outages of the provider."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.config.auth_settings import LOOPBACK
from hub.config.field_types import SettingsError
from passerelle_common.atomic_write import atomic_write

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT = 10  # seconds
MAX_RESPONSE_SIZE = 256 * 1024  # bytes


@dataclass(frozen=True)
class Provider:
    """Endpoints from a discovery document."""

    authorize_url: str
    token_url: str
    userinfo_url: str
    end_session_url: str
    basic_auth: bool
    """Whether the client secret is sent in the Authorization header, the default of the specification."""


def discover(url: str, *, ca_file: Path | None, cache: Path) -> Provider:
    """Fetch the discovery document, or use the stored copy if the provider does not respond.

    Args:
        url: The issuer, or the URL of its discovery document.
        ca_file: Certificates to trust instead of the system's.
        cache: File for the stored copy.

    Raises:
        SettingsError: There is no valid document and no stored copy.
    """
    issuer = url.removesuffix(WELL_KNOWN)
    document_url = issuer + WELL_KNOWN
    try:
        document = fetch(document_url, ca_file=ca_file)
        provider = parse_document(document, issuer=issuer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        copy = _read_copy(cache)
        if copy is not None and copy.get("issuer", "").rstrip("/") == issuer:
            return parse_document(copy, issuer=issuer)
        reason = getattr(error, "reason", None) or error
        raise SettingsError(
            f"the hub cannot start: AUTH_URL does not lead to an OpenID Connect provider: {document_url}: {reason} "
            "(see .env, and AUTH_CA_FILE there if a private authority issued its certificate)."
        ) from None
    with atomic_write(cache) as file:
        file.write(json.dumps(document).encode())
    return provider


def parse_document(document: dict[str, Any], *, issuer: str) -> Provider:
    """Parse a discovery document.

    Raises:
        ValueError: It belongs to another issuer, or an endpoint is missing or not https.
    """
    if str(document.get("issuer", "")).rstrip("/") != issuer:
        raise ValueError(f"it is the document of {document.get('issuer')!r}, not of {issuer!r}")
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    if missing := [name for name in names if not isinstance(document.get(name), str)]:
        raise ValueError(f"the document has no {', '.join(missing)}")
    for name in names:
        parts = urlsplit(document[name])
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError(f"its {name} is not https")
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        authorize_url=document["authorization_endpoint"],
        token_url=document["token_endpoint"],
        userinfo_url=document["userinfo_endpoint"],
        end_session_url=str(document.get("end_session_endpoint") or ""),
        basic_auth="client_secret_basic" in methods,
    )


def fetch(url: str, *, ca_file: Path | None) -> dict[str, Any]:
    """Fetch a JSON object."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  http or https, see settings
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:  # noqa: S310
        body = response.read(MAX_RESPONSE_SIZE + 1)
    if len(body) > MAX_RESPONSE_SIZE:
        raise ValueError("the response is too long")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the response is not a JSON object")
    return document


def _read_copy(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
