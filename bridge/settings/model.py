"""The settings as types: what there is, its default, and what makes a value wrong.

The docstring below each field is its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from bridge.settings.client import ClientSettings, Frozen
from bridge.settings.urls import check_base_url, is_loopback

MINIMAL_SECRET_KEY_LENGTH = 16

# claim -> CAS attributes: the first that has a value wins; `groups` unites them all.
DEFAULT_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "name": ("displayName", "cn"),
    "given_name": ("givenName",),
    "family_name": ("sn", "surname"),
    "email": ("mail", "email"),
    "groups": ("memberOf", "isMemberOf", "groups"),
}


class Settings(Frozen):
    """All that an administrator can set."""

    issuer: str
    """Public base URL of the bridge, exactly as applications know it, without a slash at the end."""
    cas_url: str
    """CAS as the browser sees it, e.g. `https://sso.example.org/cas`: users are sent to `/login` below it."""
    cas_internal_url: str | None = None
    """CAS as this server reaches it, when that differs: tickets are validated there."""
    cas_ca_file: Path | None = None
    """Certificates (PEM) to trust for CAS instead of the system's, for a private authority."""
    secret_key: SecretStr = Field(min_length=MINIMAL_SECRET_KEY_LENGTH)
    """At least 16, better 64 random characters; encrypts the signing keys at rest. `openssl rand -hex 32` makes one."""
    database_url: SecretStr = SecretStr("sqlite:///passerelle.sqlite3")
    """Where everything that must survive is kept: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`."""
    bind: str = "127.0.0.1:8000"
    """`host:port` to listen on."""
    workers: int = Field(default=2, ge=1, le=64)
    """Worker processes. Each answers up to 16 requests at a time."""
    session_lifetime: int = Field(default=8 * 3600, ge=60, le=30 * 24 * 3600)
    """Seconds that a browser stays signed in at the bridge."""
    access_token_lifetime: int = Field(default=3600, ge=60, le=24 * 3600)
    """Seconds that an access token and an ID token are valid."""
    refresh_token_lifetime: int = Field(default=14 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds without use after which a refresh token expires."""
    grant_lifetime: int = Field(default=90 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds after which a user has to sign in again, however often an application refreshed its tokens."""
    signing_key_max_age: int = Field(default=90 * 24 * 3600, ge=24 * 3600)
    """Seconds after which a new signing key takes over by itself; it is published two hours before."""
    email_verified: bool = True
    """What the claim of that name says of addresses that CAS releases; false where users edit their own."""
    attributes: Mapping[str, tuple[str, ...]] = DEFAULT_ATTRIBUTES
    """claim = CAS attributes: the first with a value wins, and `groups` unites them all."""
    clients: tuple[ClientSettings, ...] = ()
    """The applications, one `[[clients]]` table each; `PASSERELLE_CLIENTS` (JSON) adds to the file's."""
    proxy_hops: int = Field(default=0, ge=0, le=5)
    """How many proxies in front add to X-Forwarded-For; it tells who calls, for rate limits and the log alone."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """What Prometheus sends as a bearer token to `/metrics`; without it only this machine itself may read them."""
    support_contact: str = ""
    """Whom pages tell people to ask: an address, a telephone number or a sentence."""
    logo_file: Path | None = None
    """An SVG or PNG file shown on every page."""
    accent_color: str = Field(default="#1d4ed8", pattern=r"^#[0-9a-fA-F]{6}$")
    """The colour of buttons and links, as #rrggbb."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, url: str) -> str:
        check_base_url(url)
        if url.startswith("http:") and not is_loopback(urlsplit(url).hostname):
            raise ValueError("must be https: http is accepted for loopback hosts only")
        return url

    @field_validator("cas_url", "cas_internal_url")
    @classmethod
    def _check_cas_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        check_base_url(url.rstrip("/"))
        return url.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if not re.match(r"(sqlite:///|postgresql(\+psycopg)?://).+", text):
            raise ValueError("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
        if ":memory:" in text or "mode=memory" in text:
            raise ValueError("must be a file: the workers share it, and it has to survive a restart")
        return url

    @field_validator("bind")
    @classmethod
    def _check_bind(cls, bind: str) -> str:
        host, _, port = bind.rpartition(":")
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError("must be host:port with a port from 1 to 65535, e.g. 127.0.0.1:8000 or [::1]:8000")
        return bind

    @field_validator("attributes")
    @classmethod
    def _check_attributes(cls, rules: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        if unknown := sorted(set(rules) - set(DEFAULT_ATTRIBUTES)):
            raise ValueError(f"no such claim: {', '.join(unknown)} (there are {', '.join(DEFAULT_ATTRIBUTES)})")
        return {**DEFAULT_ATTRIBUTES, **rules}

    @field_validator("clients")
    @classmethod
    def _check_clients(cls, clients: tuple[ClientSettings, ...]) -> tuple[ClientSettings, ...]:
        ids = [client.client_id for client in clients]
        if twice := sorted({client_id for client_id in ids if ids.count(client_id) > 1}):
            raise ValueError(f"client_id given twice: {', '.join(twice)}")
        return clients

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the bridge by https: decides the cookies' names and flags."""
        return self.issuer.startswith("https:")

    @property
    def bind_host(self) -> str:
        """The address to listen on, without the brackets of IPv6."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def bind_port(self) -> int:
        """The TCP port to listen on."""
        return int(self.bind.rpartition(":")[2])
