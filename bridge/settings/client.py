"""The settings of a client; the docstring below each field becomes docs/settings.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bridge.settings.rules import ClaimNames, FrozenModel
from bridge.settings.urls import redirect_uri_fault

SCOPES = ("openid", "profile", "email", "groups", "eduperson", "offline_access")
DEFAULT_SCOPES = ("openid", "profile", "email", "groups")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # RFC 6749 §3.3


def _add_prefix(secret_hash: str) -> str:
    return f"sha256:{secret_hash.removeprefix('sha256:')}"


def _check_redirect_uris(uris: tuple[str, ...]) -> tuple[str, ...]:
    for uri in uris:
        if fault := redirect_uri_fault(uri):
            raise ValueError(f"{re.sub(r'//[^/@]*@', '//…@', uri)!r} {fault}")
    return uris


def _check_logout_uri(uri: str) -> str:
    # Plain http is allowed (Back-Channel Logout §2.2), because the traffic often stays on one machine.
    if fault := redirect_uri_fault(re.sub(r"^http:", "https:", uri)):
        raise ValueError(f"{uri!r} {fault}")
    return uri


def _check_allowed_attributes(rules: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    if empty := [name for name, values in rules.items() if not values or not name.strip()]:
        named = ", ".join(empty).strip(" ,") or "a nameless attribute"
        raise ValueError(f"{named}: the list of allowed values is empty, so every login would be denied")
    return rules


def _check_grant_types(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in GRANT_TYPES]:
        raise ValueError(f"{', '.join(unknown)}: unknown grant type (known: {', '.join(GRANT_TYPES)})")
    return names


def _check_scopes(names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in names if not SCOPE_TOKEN.fullmatch(name)]:
        raise ValueError(f"{', '.join(wrong)}: a scope must not have spaces, quotes or backslashes")
    return names


SecretHash = Annotated[str, Field(pattern=r"^(?:sha256:)?[0-9a-f]{64}$"), AfterValidator(_add_prefix)]
RedirectUris = Annotated[tuple[str, ...], AfterValidator(_check_redirect_uris)]
LogoutUri = Annotated[str, AfterValidator(_check_logout_uri)]
AllowedAttributes = Annotated[Mapping[str, tuple[str, ...]], AfterValidator(_check_allowed_attributes)]
GrantTypes = Annotated[tuple[str, ...], AfterValidator(_check_grant_types)]
Scopes = Annotated[tuple[str, ...], AfterValidator(_check_scopes)]


class ClientSettings(FrozenModel):
    """A `[[clients]]` table: an application that uses this bridge for login."""

    client_id: str = Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    """Client identifier: printable ASCII without spaces."""
    client_name: str = ""
    """Name on pages; by default the client_id."""
    client_secret: SecretStr | None = Field(default=None, min_length=1)
    """The client secret. A client without any of the three secret settings is public and must use PKCE."""
    client_secret_file: Path | None = None
    """File that holds the client secret."""
    client_secret_hash: SecretHash | None = None
    """Hexadecimal SHA-256 of the client secret, as `passerelle clients hash` prints it."""
    former_secret_hash: SecretHash | None = None
    """Hash of the previous secret, which stays valid during a rotation."""
    redirect_uris: RedirectUris = ()
    """Allowed redirect URIs, compared exactly. A loopback URI without a port allows any port."""
    post_logout_redirect_uris: RedirectUris = ()
    """Allowed redirect URIs after logout, compared exactly."""
    backchannel_logout_uri: LogoutUri | None = None
    """Receives back-channel logout tokens. Certificates are verified against the system's authorities, or those of
    `SSL_CERT_FILE` in the environment."""
    scopes: Scopes = DEFAULT_SCOPES
    """Allowed scopes; all of them are granted if a request names none."""
    grant_types: GrantTypes = ("authorization_code",)
    """Allowed grant types: authorization_code, refresh_token, client_credentials."""
    require_pkce: bool = True
    """Require PKCE. Only a client with a secret can set this to `false`."""
    consent: bool | None = None
    """`true` asks users for consent, `false` never does. By default the bridge asks for `offline_access`, and at each
    login of a public client without an https redirect URI, because other programs on the device can pose as it."""
    allowed_groups: tuple[str, ...] = ()
    """Groups whose members may log in, compared whole; by default all users may."""
    allowed_attributes: AllowedAttributes = Field(default_factory=dict)
    """Maps attributes to allowed values, compared whole. A user needs one of the values of every attribute."""
    claims: ClaimNames = ()
    """Claims in addition to those of the scopes, in ID tokens and userinfo responses."""
    access_token_lifetime_seconds: int | None = Field(default=None, ge=60, le=24 * 3600)
    """Overrides `access_token_lifetime_seconds` of the bridge."""
    refresh_token_lifetime_seconds: int | None = Field(default=None, ge=300)
    """Overrides `refresh_token_lifetime_seconds` of the bridge."""
    identity_max_age_seconds: int | None = Field(default=None, ge=10, le=30 * 24 * 3600)
    """Seconds after which a user must be validated with CAS again, without a password while the CAS session lasts.
    Tokens expire by then and refreshes are rejected, so removed group members lose access within this time. By
    default an identity is valid as long as the session and the grant."""
    subject_type: Literal["public", "pairwise"] = "public"
    """`pairwise` gives the client a `sub` that no other client can correlate."""
    sector_identifier: str | None = None
    """Host shared by pairwise subjects; by default the host of the first redirect URI."""
    id_token_signed_response_alg: Literal["RS256", "ES256"] = "RS256"  # noqa: S105  no password: an algorithm
    """Signature algorithm of ID tokens and logout tokens."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        secrets = ("client_secret", "client_secret_file", "client_secret_hash")
        given = [name for name in secrets if getattr(self, name) is not None]
        custom_scopes = [name for name in self.scopes if name not in SCOPES]
        faults = {
            f"{' and '.join(given)} are both set: keep one": len(given) > 1,
            "former_secret_hash requires a current secret": self.former_secret_hash is not None and not given,
            "require_pkce = false requires a client secret: PKCE is the only protection of a public client": not given
            and not self.require_pkce,
            "grant_types client_credentials requires a client secret": not given
            and "client_credentials" in self.grant_types,
            "redirect_uris is required for grant_types authorization_code": not self.redirect_uris
            and "authorization_code" in self.grant_types,
            "subject_type pairwise with several hosts requires sector_identifier (OIDC Core §8.1)": self.subject_type
            == "pairwise"
            and self.sector_identifier is None
            and len({urlsplit(uri).hostname for uri in self.redirect_uris}) > 1,
            f"scopes: {', '.join(custom_scopes)}: unknown scope (known: {', '.join(SCOPES)}); custom scopes require "
            "grant_types client_credentials": bool(custom_scopes) and "client_credentials" not in self.grant_types,
        }
        if found := next((fault for fault, holds in faults.items() if holds), None):
            raise ValueError(found)
        return self

    @property
    def is_public(self) -> bool:
        """True if the client has no secret."""
        return self.client_secret is None and self.client_secret_file is None and self.client_secret_hash is None
