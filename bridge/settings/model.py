"""The settings as types: what there is, its default, and what makes a value wrong.

The docstring below each field is its documentation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

SCOPES = ("openid", "profile", "email", "groups")
# Names of the public contract that a settings file may hold already; asking for them gives nothing yet.
LATER_SCOPES = ("eduperson", "offline_access")
GRANT_TYPES = ("authorization_code",)
LATER_GRANT_TYPES = ("refresh_token", "client_credentials")
MINIMAL_SECRET_KEY_LENGTH = 16

# claim -> CAS attributes: the first that has a value wins; `groups` unites them all.
DEFAULT_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "name": ("displayName", "cn"),
    "given_name": ("givenName",),
    "family_name": ("sn", "surname"),
    "email": ("mail", "email"),
    "groups": ("memberOf", "isMemberOf", "groups"),
}


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


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class ClientSettings(_Frozen):
    """One `[[clients]]` entry: an application that may send its users here."""

    client_id: str = Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    """The identifier that the application sends: printable ASCII without spaces."""
    client_name: str = ""
    """What people read on pages; the client_id when absent."""
    client_secret: SecretStr | None = Field(default=None, min_length=1)
    """The secret itself. Absent, like the other two: a public client, bound to PKCE alone."""
    client_secret_file: Path | None = None
    """A file that holds the secret."""
    client_secret_hash: str | None = Field(default=None, pattern=r"^(?:sha256:)?[0-9a-f]{64}$")
    """SHA-256 of the secret in hexadecimal, as `passerelle clients hash` prints it."""
    redirect_uris: tuple[str, ...] = Field(min_length=1)
    """Where codes may be sent. Compared exactly; a loopback address registered without a port takes any."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Kept for RP-initiated logout; not used by this version."""
    backchannel_logout_uri: str | None = None
    """Kept for back-channel logout; not used by this version."""
    scopes: tuple[str, ...] = SCOPES
    """What the application may ask for."""
    grant_types: tuple[str, ...] = GRANT_TYPES
    """How it may get tokens; this version gives out authorization codes alone."""
    require_pkce: bool = True
    """Only a client with a secret may be excused from PKCE."""
    consent: Literal[False] = False
    """Whether users are asked before their data goes to this application; only `false` in this version."""

    @field_validator("redirect_uris", "post_logout_redirect_uris")
    @classmethod
    def _check_redirect_uris(cls, uris: tuple[str, ...]) -> tuple[str, ...]:
        for uri in uris:
            if fault := redirect_uri_fault(uri):
                raise ValueError(f"{re.sub(r'//[^/@]*@', '//…@', uri)!r} {fault}")
        return uris

    @field_validator("scopes", "grant_types")
    @classmethod
    def _check_names(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = SCOPES + LATER_SCOPES if info.field_name == "scopes" else GRANT_TYPES + LATER_GRANT_TYPES
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"{', '.join(unknown)}: not known here (there are {', '.join(known)})")
        return names

    @model_validator(mode="after")
    def _check_secret(self) -> ClientSettings:
        given = [
            name
            for name in ("client_secret", "client_secret_file", "client_secret_hash")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given: keep one")
        if not given and not self.require_pkce:
            raise ValueError("require_pkce = false needs a client secret: PKCE is all that protects a public client")
        return self


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


class Settings(_Frozen):
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
    """Where everything that must survive is kept: `sqlite:///FILE` in this version."""
    bind: str = "127.0.0.1:8000"
    """`host:port` to listen on."""
    workers: int = Field(default=2, ge=1, le=64)
    """Worker processes. Each answers up to 16 requests at a time."""
    session_lifetime: int = Field(default=8 * 3600, ge=60, le=30 * 24 * 3600)
    """Seconds that a browser stays signed in at the bridge."""
    access_token_lifetime: int = Field(default=3600, ge=60, le=24 * 3600)
    """Seconds that an access token and an ID token are valid."""
    email_verified: bool = True
    """What the claim of that name says of addresses that CAS releases; false where users edit their own."""
    attributes: Mapping[str, tuple[str, ...]] = DEFAULT_ATTRIBUTES
    """claim = CAS attributes: the first with a value wins, and `groups` unites them all."""
    clients: tuple[ClientSettings, ...] = ()
    """The applications, one `[[clients]]` table each; `PASSERELLE_CLIENTS` (JSON) adds to the file's."""
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
        if not re.match(r"sqlite:///.+", text):
            raise ValueError("must be sqlite:///FILE: no other database is supported by this version")
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
