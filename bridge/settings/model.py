"""The settings of the bridge; the docstring below each field becomes docs/settings.md."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bridge.settings.client import ClientSettings
from bridge.settings.rules import ClaimRules
from bridge.settings.urls import Bind, CasUrl, DatabaseUrl, EndpointUrl, Issuer, Parameters, ProxyUrl

MINIMAL_SECRET_KEY_LENGTH = 16


class Settings(ClaimRules):
    """All settings of the bridge."""

    issuer: Issuer
    """Public base URL of the bridge, without a trailing slash. Tokens contain it and clients compare it exactly."""
    cas_url: CasUrl
    """Base URL of CAS for browsers. Users are sent to `/login` below it."""
    cas_internal_url: CasUrl | None = None
    """Base URL of CAS for this server, if it differs. Tickets are validated there."""
    cas_ca_file: Path | None = None
    """Certificates (PEM) to trust for CAS instead of the system's, for a private certificate authority."""
    cas_proxy: ProxyUrl | None = None
    """HTTP proxy for ticket validation: `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`. TLS runs from the
    bridge to CAS. Environment variables such as `http_proxy` are ignored."""
    cas_protocol: Literal["3.0", "2.0", "1.0", "saml1.1"] = "3.0"
    """Validation protocol: `3.0` uses `/p3/serviceValidate`, `2.0` `/serviceValidate`, `1.0` `/validate` (a username
    without attributes), `saml1.1` `/samlValidate`. The format of a response is detected."""
    cas_format: Literal["xml", "json"] = "xml"
    """`json` requests JSON; only for protocols 3.0 and 2.0. Servers without JSON return XML, which is accepted."""
    cas_response_max_bytes: int = Field(default=1024 * 1024, ge=64 * 1024, le=8 * 1024 * 1024)
    """Largest accepted response to a ticket validation, in bytes. Users with thousands of groups need more."""
    cas_login_url: EndpointUrl | None = None
    """Full URL of the CAS login page, if it is not `/login` below `cas_url`."""
    cas_validate_url: EndpointUrl | None = None
    """Full URL of the validation endpoint, if it is not the one of `cas_protocol`."""
    cas_logout_url: EndpointUrl | None = None
    """Full URL of the CAS logout page, if it is not `/logout` below `cas_url`."""
    cas_login_parameters: Parameters = Field(default_factory=dict)
    """Extra query parameters for the CAS login page."""
    cas_validate_parameters: Parameters = Field(default_factory=dict)
    """Extra query parameters for ticket validation, for CAS servers that require them there as well."""
    cas_logout: Literal["chain", "return", "none"] = "chain"
    """Effect of a logout at CAS. `chain` ends at the CAS logout page, or at the client's own page if it requests one;
    then the next login requires the password. `return` logs out at CAS and comes back: CAS must follow `service` after
    logout, and `/logout/done` must be registered. `none` keeps the CAS session."""
    cas_logout_ends_offline_access: bool = True
    """Revoke `offline_access` grants too when CAS reports a single logout. `false` keeps them, as OpenID Connect
    Back-Channel Logout recommends. Many CAS servers send a logout for idle sessions, too."""
    cas_service_state: Literal["query", "cookie"] = "query"
    """Carrier of the pending login's id: in the query of the service URL, or only in a cookie, for a CAS that
    registers one exact URL. With `cookie`, a hostile page can log a user in as another user unnoticed, and concurrent
    logins in two tabs can be swapped (decision 10)."""
    secret_key: SecretStr = Field(min_length=MINIMAL_SECRET_KEY_LENGTH)
    """Encrypts the signing keys in the database; at least 16, preferably 64 random characters. Generate it with
    `openssl rand -hex 32`, and back it up: without it the signing keys are lost."""
    database_url: DatabaseUrl = SecretStr("sqlite:///passerelle.sqlite3")
    """Database: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`. PostgreSQL must allow 20 connections
    for each worker and 5 for commands (`max_connections`)."""
    bind: Bind = "127.0.0.1:8000"
    """`HOST:PORT` to listen on, in plain http."""
    workers: int = Field(default=2, ge=1, le=64)
    """Number of worker processes. Each handles up to 32 requests at a time, of which 16 may wait for CAS. One address
    gets 4 of the others; its further requests wait for their turn."""
    session_lifetime_seconds: int = Field(default=8 * 3600, ge=60, le=30 * 24 * 3600)
    """Lifetime of a browser session at the bridge, in seconds."""
    access_token_lifetime_seconds: int = Field(default=3600, ge=60, le=24 * 3600)
    """Lifetime of access tokens and ID tokens, in seconds."""
    refresh_token_lifetime_seconds: int = Field(default=14 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds without use after which a refresh token expires."""
    grant_lifetime_seconds: int = Field(default=90 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds after which a user must log in again, regardless of refreshes."""
    signing_key_max_age_seconds: int = Field(default=90 * 24 * 3600, ge=24 * 3600)
    """Age at which signing keys are rotated, in seconds. A new key is published two hours before it signs."""
    email_verified: bool = True
    """Value of the claim `email_verified`. Set it to `false` if users can edit their own address."""
    clients: tuple[ClientSettings, ...] = ()
    """Clients in the settings file, one `[[clients]]` table each. `PASSERELLE_CLIENTS` (JSON) adds to them."""
    proxy_hops: int = Field(default=0, ge=0, le=5)
    """Number of reverse proxies in front that append to `X-Forwarded-For`. If it is too high, clients can spoof the
    address used for rate limiting and logging."""
    client_failures_per_minute: int = Field(default=30, ge=1, le=100_000)
    """Failed authentications per minute for one client from one address; then that pair is rejected until the minute is
    over. All workers and hosts on one database share this limit and the next three."""
    address_failures_per_minute: int = Field(default=120, ge=1, le=100_000)
    """Failed client authentications per minute from one address, for all clients together. IPv6 addresses count
    by /64 network."""
    bad_tokens_per_minute: int = Field(default=600, ge=1, le=100_000)
    """Invalid access tokens per minute from one address. Further ones get status 429; valid tokens pass."""
    bad_callbacks_per_minute: int = Field(default=120, ge=1, le=100_000)
    """Invalid callbacks per minute from one address; further ones get status 429. After as many tickets that CAS
    rejected, no ticket from this address is sent to CAS until the minute is over."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """Bearer token for `/metrics`, which returns 404 without this setting."""
    support_contact: str = ""
    """Contact shown on pages: an email address, a telephone number or a sentence."""
    logo_file: Path | None = None
    """SVG or PNG file shown on every page."""
    accent_color: str = Field(default="#1d4ed8", pattern=r"^#[0-9a-fA-F]{6}$")
    """Colour of buttons and links, as `#rrggbb`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level of logged events."""

    @field_validator("cas_format")
    @classmethod
    def _check_cas_format(cls, name: str, info: ValidationInfo) -> str:
        if name == "json" and info.data.get("cas_protocol") in ("1.0", "saml1.1"):
            raise ValueError(f"json requires cas_protocol 3.0 or 2.0, not {info.data['cas_protocol']}")
        return name

    @field_validator("clients")
    @classmethod
    def _check_clients(cls, clients: tuple[ClientSettings, ...]) -> tuple[ClientSettings, ...]:
        ids = [client.client_id for client in clients]
        if duplicates := sorted({client_id for client_id in ids if ids.count(client_id) > 1}):
            raise ValueError(f"duplicate client_id: {', '.join(duplicates)}")
        return clients

    @property
    def is_https(self) -> bool:
        """True if browsers use https, which decides the names and flags of cookies."""
        return self.issuer.startswith("https:")

    @property
    def bind_host(self) -> str:
        """The address to listen on, without IPv6 brackets."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def bind_port(self) -> int:
        """The TCP port to listen on."""
        return int(self.bind.rpartition(":")[2])
