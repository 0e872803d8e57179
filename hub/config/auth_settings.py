"""Settings of user authentication: AUTH_METHOD selects the method, and each method declares what it needs.

The bridge is the default. For every method, groups decide access, administration rights and resources, and the hub
revalidates them periodically (`hub/auth/refresh.py`).
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from hub.config.field_types import GroupNames, SecretFile, Settings, Url, YesOrNo, split_url

ALL_USERS = "*"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PUBLIC_PROVIDERS = ("github.com", "gitlab.com", "accounts.google.com")
"""Hosts where anyone can create an account."""
LDAP_PORTS = {"ldap": 389, "ldaps": 636}


class _AuthSettings(Settings):
    """Settings common to all methods."""

    refresh_seconds: int = Field(3600, ge=10, validation_alias="AUTH_REFRESH_SECONDS")
    refresh_strict: YesOrNo = Field("no", validation_alias="AUTH_REFRESH_STRICT")
    crypt_key: SecretFile = Field(validation_alias="HUB_CRYPT_KEY_FILE")
    """Keys that encrypt stored tokens, separated by ";", the current one first."""
    ca_file: Path | None = Field(None, validation_alias="AUTH_CA_FILE")
    admin_groups: GroupNames = Field(frozenset(), validation_alias="AUTH_ADMIN_GROUPS")
    allowed: GroupNames = Field(frozenset(), validation_alias="AUTH_ALLOWED_GROUPS")

    @property
    def allow_all(self) -> bool:
        """Return whether every authenticated user has access."""
        return ALL_USERS in self.allowed

    @property
    def allowed_groups(self) -> frozenset[str]:
        """Return the groups that have access."""
        return self.allowed - {ALL_USERS}


class BridgeAuth(_AuthSettings):
    """Sign-in through this project's bridge, which authenticates users at CAS."""

    method: Literal["bridge"] = Field(validation_alias="AUTH_METHOD")
    label: str = Field("CAS", validation_alias="AUTH_LABEL")
    public_url: Url = Field(validation_alias="AUTH_PUBLIC_URL")
    internal_url: Url = Field(validation_alias="AUTH_INTERNAL_URL")
    client_id: str = Field(validation_alias="OAUTH_CLIENT_ID")
    client_secret: SecretFile = Field(validation_alias="OAUTH_CLIENT_SECRET_FILE")


class _ProviderAuth(_AuthSettings):
    """Sign-in through an OAuth provider outside this deployment."""

    url: Url = Field(validation_alias="AUTH_URL", validate_default=True)
    client_id: str = Field(validation_alias="AUTH_CLIENT_ID")
    client_secret: SecretFile = Field(validation_alias="AUTH_SECRET_FILE")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str, info: ValidationInfo) -> str:
        host = (urlsplit(url).hostname or "").removeprefix("www.")
        if url.startswith("http:") and host not in LOOPBACK:
            raise ValueError("AUTH_URL is not https, so the client secret would be sent unencrypted")
        if host in PUBLIC_PROVIDERS and ALL_USERS in info.data.get("allowed", ()):
            raise ValueError(
                f"AUTH_URL leads to {host}, where anyone can create an account: replace * in AUTH_ALLOWED_GROUPS by "
                "group names"
            )
        return url


class OidcAuth(_ProviderAuth):
    """Sign-in through an OpenID Connect provider."""

    method: Literal["oidc"] = Field(validation_alias="AUTH_METHOD")
    label: str = Field("your account", validation_alias="AUTH_LABEL")
    scopes: str = Field("openid profile email", validation_alias="AUTH_OIDC_SCOPES")
    username_claim: str = Field("preferred_username", validation_alias="AUTH_OIDC_USERNAME_CLAIM")
    groups_claim: str = Field("groups", validation_alias="AUTH_OIDC_GROUPS_CLAIM")


class GitLabAuth(_ProviderAuth):
    """Sign-in through GitLab."""

    method: Literal["gitlab"] = Field(validation_alias="AUTH_METHOD")
    label: str = Field("GitLab", validation_alias="AUTH_LABEL")
    url: Url = Field("https://gitlab.com", validation_alias="AUTH_URL", validate_default=True)


class GitHubAuth(_ProviderAuth):
    """Sign-in through GitHub."""

    method: Literal["github"] = Field(validation_alias="AUTH_METHOD")
    label: str = Field("GitHub", validation_alias="AUTH_LABEL")
    url: Url = Field("https://github.com", validation_alias="AUTH_URL", validate_default=True)


class LdapAuth(_AuthSettings):
    """Sign-in with a password of an LDAP directory."""

    DEFAULT_GROUP_FILTER: ClassVar[str] = "(|(member={userdn})(uniqueMember={userdn})(memberUid={uid}))"

    method: Literal["ldap"] = Field(validation_alias="AUTH_METHOD")
    url: str = Field(validation_alias="AUTH_URL")
    user_dn: str = Field("", validation_alias="AUTH_LDAP_USER_DN")
    user_base: str = Field("", validation_alias="AUTH_LDAP_USER_BASE", validate_default=True)
    user_attribute: str = Field("uid", validation_alias="AUTH_LDAP_USER_ATTRIBUTE")
    search_user: str = Field("", validation_alias="AUTH_LDAP_SEARCH_USER")
    search_password: SecretFile | None = Field(None, validation_alias="AUTH_SECRET_FILE", validate_default=True)
    group_base: str = Field("", validation_alias="AUTH_LDAP_GROUP_BASE")
    group_filter: str = Field(DEFAULT_GROUP_FILTER, validation_alias="AUTH_LDAP_GROUP_FILTER")

    @field_validator("url")
    @classmethod
    def _check_directory_url(cls, url: str) -> str:
        parts = split_url(url.rstrip("/"))
        if parts.scheme not in LDAP_PORTS or not parts.hostname or parts.path:
            raise ValueError("must be the URL of a directory, such as ldaps://ldap.example.org")
        return url.rstrip("/")

    @field_validator("user_dn")
    @classmethod
    def _check_user_dn(cls, user_dn: str) -> str:
        if user_dn and "{username}" not in user_dn:
            raise ValueError("must contain {username}")
        return user_dn

    @field_validator("user_base")
    @classmethod
    def _check_user_base(cls, user_base: str, info: ValidationInfo) -> str:
        if "user_dn" in info.data and bool(user_base) == bool(info.data["user_dn"]):
            raise ValueError("AUTH_LDAP_USER_BASE and AUTH_LDAP_USER_DN are alternatives: set exactly one of them")
        return user_base

    @field_validator("search_password")
    @classmethod
    def _check_search_password(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if password is None and info.data.get("search_user"):
            raise ValueError("AUTH_SECRET_FILE is not set, but AUTH_LDAP_SEARCH_USER needs a password")
        return password


class PamAuth(_AuthSettings):
    """Sign-in with a password of an account on this machine."""

    method: Literal["pam"] = Field(validation_alias="AUTH_METHOD")


OAuthSettings = BridgeAuth | OidcAuth | GitLabAuth | GitHubAuth
AuthSettings = Annotated[OAuthSettings | LdapAuth | PamAuth, Field(discriminator="method")]
