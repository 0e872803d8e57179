"""The settings as types: what there is, its default, and what makes a value wrong.

The docstring below each field is its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bridge.settings.client import ClientSettings, FrozenModel
from bridge.settings.rules import (
    DEFAULT_ATTRIBUTES,
    AttributeName,
    ClaimRules,
    EmailTemplate,
    GroupMap,
    GroupsBase,
    Pattern,
    check_attribute_rules,
    check_groups_from_dn,
)
from bridge.settings.upstream import EndpointUrl, Parameters, ProxyUrl
from bridge.settings.urls import check_base_url, check_database_url, check_issuer_path, is_loopback

MINIMAL_SECRET_KEY_LENGTH = 16


class Settings(FrozenModel):
    """All that an administrator can set."""

    issuer: str
    """Public base URL of the bridge, exactly as applications know it, without a slash at the end."""
    cas_url: str
    """CAS as the browser sees it, e.g. `https://sso.example.org/cas`: users are sent to `/login` below it."""
    cas_internal_url: str | None = None
    """CAS as this server reaches it, when that differs: tickets are validated there."""
    cas_ca_file: Path | None = None
    """Certificates (PEM) to trust for CAS instead of the system's, for a private authority."""
    cas_proxy: ProxyUrl | None = None
    """An http proxy on the way to CAS, for validations alone: `http://proxy.example.org:3128`, or with
    `USER:PASSWORD@`. TLS stays between the bridge and CAS. `http_proxy` and the like are never read."""
    cas_protocol: Literal["3.0", "2.0", "1.0", "saml1.1"] = "3.0"
    """What CAS is asked: `3.0` at `/p3/serviceValidate`, `2.0` at `/serviceValidate`, `1.0` at `/validate` (a user name
    and no attributes), `saml1.1` at `/samlValidate`. An answer is read by what it is, whatever was asked."""
    cas_format: Literal["xml", "json"] = "xml"
    """`json` asks for JSON, of servers of protocol 3.0 or 2.0 that know it; others answer XML all the same."""
    cas_login_url: EndpointUrl | None = None
    """The whole address of CAS's sign-in page, where it is not `/login` below `cas_url`."""
    cas_validate_url: EndpointUrl | None = None
    """The whole address where tickets are validated, where it is not the one that `cas_protocol` names."""
    cas_logout_url: EndpointUrl | None = None
    """The whole address of CAS's logout page, where it is not `/logout` below `cas_url`."""
    cas_login_parameters: Parameters = Field(default_factory=dict)
    """Parameters to add at CAS's sign-in page, such as `authn_method = "mfa-duo"`."""
    cas_validate_parameters: Parameters = Field(default_factory=dict)
    """Parameters to add when a ticket is validated, for a CAS that wants to hear the same there again."""
    cas_logout: Literal["chain", "return", "none"] = "chain"
    """What signing out here does at CAS. `chain` ends at CAS's own logout page, or at the application's where it names
    one: then CAS is asked for the password at the next sign-in. `return` goes through CAS and comes back, for a CAS
    that follows `service` after a logout: register `/logout/done` there. `none` leaves CAS alone."""
    cas_logout_ends_offline_access: bool = True
    """Whether a single logout of CAS also takes back what applications hold with `offline_access`. `false` keeps it, as
    OpenID Connect Back-Channel Logout advises; many CAS servers call it a logout too when somebody was idle."""
    cas_service_state: Literal["query", "cookie"] = "query"
    """Where the id of a sign-in travels: in the query of the service URL, or in a cookie alone, for a CAS that can
    register one exact URL. With `cookie` a hostile page can sign somebody in as another user without their noticing,
    and sign-ins begun at once in two tabs may change places: see decision 10."""
    secret_key: SecretStr = Field(min_length=MINIMAL_SECRET_KEY_LENGTH)
    """At least 16, better 64 random characters; encrypts the signing keys at rest. `openssl rand -hex 32` makes one."""
    database_url: SecretStr = SecretStr("sqlite:///passerelle.sqlite3")
    """Where everything that must survive is kept: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`."""
    bind: str = "127.0.0.1:8000"
    """`host:port` to listen on."""
    workers: int = Field(default=2, ge=1, le=64)
    """Worker processes. Each answers up to 16 requests at a time."""
    session_lifetime_seconds: int = Field(default=8 * 3600, ge=60, le=30 * 24 * 3600)
    """Seconds that a browser stays signed in at the bridge."""
    access_token_lifetime_seconds: int = Field(default=3600, ge=60, le=24 * 3600)
    """Seconds that an access token and an ID token are valid."""
    refresh_token_lifetime_seconds: int = Field(default=14 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds without use after which a refresh token expires."""
    grant_lifetime_seconds: int = Field(default=90 * 24 * 3600, ge=300, le=400 * 24 * 3600)
    """Seconds after which a user has to sign in again, however often an application refreshed its tokens."""
    signing_key_max_age_seconds: int = Field(default=90 * 24 * 3600, ge=24 * 3600)
    """Seconds after which a new signing key takes over by itself; it is published two hours before."""
    email_verified: bool = True
    """What the claim of that name says of addresses that CAS releases; false where users edit their own."""
    attributes: Mapping[str, tuple[str, ...]] = DEFAULT_ATTRIBUTES
    """claim = CAS attributes: the first with a value wins, and `groups` unites them all. A friendly name stands for
    its other spellings (`mail`, `urn:oid:…`); what is not named keeps its default, and an empty list turns it off."""
    groups_base: GroupsBase | None = None
    """The branch of the directory that holds the groups, for `groups_from_dn`; `*` for any, where no two groups of the
    whole directory share a cn."""
    groups_from_dn: Literal["cn"] | None = None
    """`cn` makes `staff` of `cn=staff,ou=groups,…` for groups directly below `groups_base`. All other values, and all
    of them without this setting, stay whole."""
    group_map: GroupMap = Field(default_factory=dict)
    """Whole value as CAS releases it = name of the group, for groups that need another name."""
    groups_from_affiliation: bool = False
    """Whether each eduperson_affiliation makes a group too: `affiliation:staff`."""
    email_template: EmailTemplate | None = None
    """The address of users for whom CAS releases none, like `{username}@example.org`; `email_verified` holds for it
    as well."""
    subject_attribute: AttributeName | None = None
    """The attribute that is the `sub` in tokens, instead of the user that CAS names. It has to be there and single, or
    the sign-in is refused. Changing this changes everybody's `sub`: applications then take them for other people."""
    username_attribute: AttributeName | None = None
    """The attribute that is the user name (`preferred_username`), likewise."""
    username_case: Literal["keep", "lower"] = "keep"
    """`lower` where CAS lets people type their name either way. Applies to the user name, and to the `sub` that is made
    of the user whom CAS names."""
    username_pattern: Pattern | None = None
    """A regular expression that the whole user name has to match; nobody else gets in."""
    clients: tuple[ClientSettings, ...] = ()
    """The applications, one `[[clients]]` table each; `PASSERELLE_CLIENTS` (JSON) adds to the file's."""
    proxy_hops: int = Field(default=0, ge=0, le=5)
    """How many proxies in front add to X-Forwarded-For; it tells who calls, for rate limits and the log alone."""
    client_failures_per_minute: int = Field(default=30, ge=1, le=100_000)
    """Wrong secrets of one client from one address, after which that pair waits until the minute is over. Like the
    next three it is counted in the memory of each worker, so `workers` times as many may pass."""
    address_failures_per_minute: int = Field(default=120, ge=1, le=100_000)
    """Wrong client secrets from one address, whatever the client."""
    bad_tokens_per_minute: int = Field(default=600, ge=1, le=100_000)
    """Unknown or expired access tokens from one address, after which more of them are answered 429; good ones pass."""
    bad_callbacks_per_minute: int = Field(default=120, ge=1, le=100_000)
    """Sign-ins from one address that cannot be continued; more are answered 429, good ones pass."""
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
        check_issuer_path(url)
        if url.startswith("http:") and not is_loopback(urlsplit(url).hostname):
            raise ValueError("must be https: http is accepted for loopback hosts only")
        return url

    @field_validator("cas_url", "cas_internal_url")
    @classmethod
    def _check_cas_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        check_base_url(url.rstrip("/"))
        if url.rstrip("/").endswith("/login"):
            raise ValueError("is the sign-in page itself: leave out /login at the end")
        return url.rstrip("/")

    @field_validator("cas_format")
    @classmethod
    def _check_cas_format(cls, name: str, info: ValidationInfo) -> str:
        if name == "json" and info.data.get("cas_protocol") in ("1.0", "saml1.1"):
            raise ValueError(f"json is for protocol 3.0 and 2.0, not for cas_protocol {info.data['cas_protocol']}")
        return name

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr) -> SecretStr:
        check_database_url(url.get_secret_value())
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
        return check_attribute_rules(rules)

    @field_validator("groups_from_dn")
    @classmethod
    def _check_groups_from_dn(cls, how: str | None, info: ValidationInfo) -> str | None:
        if "groups_base" in info.data:  # else it is wrong itself, and told
            check_groups_from_dn(how, info.data["groups_base"])
        return how

    @field_validator("clients")
    @classmethod
    def _check_clients(cls, clients: tuple[ClientSettings, ...]) -> tuple[ClientSettings, ...]:
        ids = [client.client_id for client in clients]
        if twice := sorted({client_id for client_id in ids if ids.count(client_id) > 1}):
            raise ValueError(f"client_id given twice: {', '.join(twice)}")
        return clients

    @property
    def claim_rules(self) -> ClaimRules:
        """All that decides what an identity is made of."""
        return ClaimRules(**{rule.name: getattr(self, rule.name) for rule in fields(ClaimRules)})

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
