"""Where an OpenID Connect provider has its endpoints: asked at the start of the hub, and kept for when it is down."""

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

from hub.config.settings import SettingsError

WELL_KNOWN = "/.well-known/openid-configuration"
ANSWER_WITHIN = 10  # seconds
LONGEST_ANSWER = 256 * 1024
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Provider:
    """What the hub needs of the discovery document."""

    authorize_url: str
    token_url: str
    userinfo_url: str
    end_session_url: str
    basic_auth: bool
    """Whether the secret goes into a header: what the specification assumes where a provider says nothing."""


def discover(url: str, *, ca_file: Path | None, kept_in: Path) -> Provider:
    """Ask the provider; what it said last time, if it does not answer.

    :param url: the issuer, or the whole address of its discovery document
    :raises SettingsError: in one sentence
    """
    issuer = url.removesuffix(WELL_KNOWN)
    where = issuer + WELL_KNOWN
    try:
        document = fetch(where, ca_file=ca_file)
        provider = provider_of(document, issuer=issuer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        kept = _read(kept_in)
        if kept is not None and kept.get("issuer", "").rstrip("/") == issuer:
            return provider_of(kept, issuer=issuer)
        reason = getattr(error, "reason", None) or error
        raise SettingsError(
            f"the hub cannot start, AUTH_URL does not lead to an OpenID Connect provider: {where}: {reason} "
            "(see .env, and AUTH_CA_FILE there if a private authority issued its certificate)."
        ) from None
    _keep(kept_in, document)
    return provider


def provider_of(document: dict[str, Any], *, issuer: str) -> Provider:
    """Read a discovery document.

    :raises ValueError: when it is not this issuer's, lacks an endpoint, or has one where a secret could be overheard
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
    """One JSON object by GET."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  http or https, see settings
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN, context=context) as answer:  # noqa: S310
        body = answer.read(LONGEST_ANSWER + 1)
    if len(body) > LONGEST_ANSWER:
        raise ValueError("the answer is too long")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")
    return document


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _keep(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(document), encoding="utf-8")
    draft.replace(path)
