"""The settings of one application.

The docstring below each field is its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bridge.settings.rules import ClaimNames
from bridge.settings.urls import redirect_uri_fault

SCOPES = ("openid", "profile", "email", "groups", "eduperson", "offline_access")
DEFAULT_SCOPES = ("openid", "profile", "email", "groups")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # RFC 6749 §3.3


class FrozenModel(BaseModel):
    """Read once, never changed; a name that is not known is a fault, and no fault repeats a value."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class ClientSettings(FrozenModel):
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
    former_secret_hash: str | None = Field(default=None, pattern=r"^(?:sha256:)?[0-9a-f]{64}$")
    """The hash of the secret before this one, while both are valid during a changeover."""
    redirect_uris: tuple[str, ...] = ()
    """Where codes may be sent. Compared exactly; a loopback address registered without a port takes any."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where users may be sent after they signed out. Compared exactly."""
    backchannel_logout_uri: str | None = None
    """Where to tell the application that a session ended. By https its certificate has to be one that this system
    trusts; `SSL_CERT_FILE` in the environment names other authorities instead."""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    """What the application may ask for; it gets all of them when it asks for none."""
    grant_types: tuple[str, ...] = ("authorization_code",)
    """How it may get tokens: authorization_code, refresh_token, client_credentials."""
    require_pkce: bool = True
    """Only a client with a secret may be excused from PKCE."""
    consent: bool = False
    """Whether users are asked before their data goes to this application."""
    allowed_groups: tuple[str, ...] = ()
    """Who may sign in: members of any of these groups, compared whole; absent for everyone."""
    allowed_attributes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Who may sign in, further: of every attribute named here the user has one of these values, compared whole."""
    claims: ClaimNames = ()
    """Claims that the application gets beside those of its scopes, in its ID tokens as well as from userinfo."""
    access_token_lifetime_seconds: int | None = Field(default=None, ge=60, le=24 * 3600)
    """Seconds, instead of the bridge's own setting."""
    refresh_token_lifetime_seconds: int | None = Field(default=None, ge=300)
    """Seconds without use, instead of the bridge's own setting."""
    identity_max_age_seconds: int | None = Field(default=None, ge=10, le=30 * 24 * 3600)
    """Seconds for which what CAS said about a user counts for this application. Its tokens end then, a refresh is
    refused, and the browser that it sends here passes through CAS again, which asks for no password while it knows the
    user: new groups, and groups taken away, arrive within that time. Absent: for as long as session and grant last."""
    subject_type: Literal["public", "pairwise"] = "public"
    """`pairwise` gives this application a `sub` that no other can compare."""
    sector_identifier: str | None = None
    """What pairwise subjects are shared by; the host of the first redirect URI when absent."""
    id_token_signed_response_alg: Literal["RS256", "ES256"] = "RS256"  # noqa: S105  no password: an algorithm
    """How its ID tokens and logout tokens are signed."""

    @field_validator("client_secret_hash", "former_secret_hash")
    @classmethod
    def _add_prefix(cls, secret_hash: str | None) -> str | None:
        return None if secret_hash is None else f"sha256:{secret_hash.removeprefix('sha256:')}"

    @field_validator("redirect_uris", "post_logout_redirect_uris")
    @classmethod
    def _check_redirect_uris(cls, uris: tuple[str, ...]) -> tuple[str, ...]:
        for uri in uris:
            if fault := redirect_uri_fault(uri):
                raise ValueError(f"{re.sub(r'//[^/@]*@', '//…@', uri)!r} {fault}")
        return uris

    @field_validator("backchannel_logout_uri")
    @classmethod
    def _check_backchannel_logout_uri(cls, uri: str | None) -> str | None:
        # Plain http is allowed (Back-Channel Logout §2.2): it often stays within one machine's network.
        if uri is not None and (fault := redirect_uri_fault(re.sub(r"^http:", "https:", uri))):
            raise ValueError(f"{uri!r} {fault}")
        return uri

    @field_validator("allowed_attributes")
    @classmethod
    def _check_allowed_attributes(cls, rules: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        if empty := [name for name, values in rules.items() if not values or not name.strip()]:
            named = ", ".join(empty).strip(" ,") or "a nameless attribute"
            raise ValueError(f"{named}: no value is allowed, so nobody could sign in")
        return rules

    @field_validator("grant_types")
    @classmethod
    def _check_grant_types(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in GRANT_TYPES]:
            raise ValueError(f"{', '.join(unknown)}: not known here (there are {', '.join(GRANT_TYPES)})")
        return names

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if not SCOPE_TOKEN.fullmatch(name)]:
            raise ValueError(f"{', '.join(wrong)}: a scope has no spaces, quotes or backslashes")
        return names

    @model_validator(mode="after")
    def _check_together(self) -> ClientSettings:
        secrets = ("client_secret", "client_secret_file", "client_secret_hash")
        given = [name for name in secrets if getattr(self, name) is not None]
        own_scopes = [name for name in self.scopes if name not in SCOPES]
        faults = {
            f"{' and '.join(given)} are both given: keep one": len(given) > 1,
            "former_secret_hash needs a secret beside it, the one that replaced it": self.former_secret_hash is not None
            and not given,
            "require_pkce = false needs a client secret: PKCE is all that protects a public client": not given
            and not self.require_pkce,
            "grant_types has client_credentials, which needs a client secret": not given
            and "client_credentials" in self.grant_types,
            "redirect_uris is required for grant_types authorization_code": not self.redirect_uris
            and "authorization_code" in self.grant_types,
            "subject_type pairwise over several hosts needs sector_identifier (OIDC Core §8.1)": self.subject_type
            == "pairwise"
            and self.sector_identifier is None
            and len({urlsplit(uri).hostname for uri in self.redirect_uris}) > 1,
            f"scopes: {', '.join(own_scopes)}: not known here (there are {', '.join(SCOPES)}); scopes of your own are "
            "for grant_types client_credentials": bool(own_scopes) and "client_credentials" not in self.grant_types,
        }
        if found := next((fault for fault, holds in faults.items() if holds), None):
            raise ValueError(found)
        return self

    @property
    def is_public(self) -> bool:
        """Without a secret."""
        return self.client_secret is None and self.client_secret_file is None and self.client_secret_hash is None
