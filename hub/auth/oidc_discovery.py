"""OpenID Connect discovery at the start of the hub, with a stored copy for outages of the provider."""

import http.client
import json
import ssl
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.config.auth_settings import LOOPBACK
from hub.config.field_types import SettingsError
from passerelle_common.atomic_write import atomic_write

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT = 10  # seconds
MAX_RESPONSE_SIZE = 256 * 1024  # bytes


def discover(url: str, *, ca_file: Path | None, cache: Path) -> dict[str, Any]:
    """Fetch the discovery document, or use the stored copy if the provider does not respond.

    The URL is the issuer or its discovery document's. The certificates in `ca_file` replace the system's.

    Raises:
        SettingsError: There is no valid document and no stored copy.
    """
    issuer = url.removesuffix(WELL_KNOWN)
    document_url = issuer + WELL_KNOWN
    try:
        document: dict[str, Any] = fetch(document_url, ca_file=ca_file)
        check_document(document, issuer=issuer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        with suppress(OSError, ValueError):
            copy: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8"))
            check_document(copy, issuer=issuer)
            return copy
        reason = getattr(error, "reason", None) or error
        raise SettingsError(
            f"the hub cannot start: AUTH_URL does not lead to an OpenID Connect provider: {document_url}: {reason} "
            "(see .env, and AUTH_CA_FILE there if a private authority issued its certificate)."
        ) from None
    with atomic_write(cache) as file:
        file.write(json.dumps(document).encode())
    return document


def check_document(document: Any, *, issuer: str) -> None:
    """Check a discovery document.

    Raises:
        ValueError: It belongs to another issuer, or an endpoint is missing or not https.
    """
    if not isinstance(document, dict):
        raise ValueError("the response is not a JSON object")
    if str(document.get("issuer", "")).rstrip("/") != issuer:
        raise ValueError(f"it is the document of {document.get('issuer')!r}, not of {issuer!r}")
    required = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    for name in (*required, *(["jwks_uri"] if "jwks_uri" in document else [])):
        if not isinstance(document.get(name), str):
            raise ValueError(f"the document has no {name}")
        parts = urlsplit(document[name])
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError(f"its {name} is not https")


def uses_basic_auth(document: dict[str, Any]) -> bool:
    """Return whether the client secret is sent in the Authorization header, the default of the specification."""
    methods = document.get("token_endpoint_auth_methods_supported")
    return not methods or "client_secret_basic" in methods


def fetch(url: str, *, ca_file: Path | None) -> Any:
    """Fetch JSON of limited size."""
    context = ssl.create_default_context(cafile=ca_file)
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  http or https, see settings
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:  # noqa: S310
        body = response.read(MAX_RESPONSE_SIZE + 1)
    if len(body) > MAX_RESPONSE_SIZE:
        raise ValueError("the response is too long")
    return json.loads(body)
