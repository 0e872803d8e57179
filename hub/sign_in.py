"""How people sign in at the hub: one setting (SIGN_IN) chooses, the others fill in what that choice needs.

The bridge is the default. Whatever the choice, groups decide who may enter, who administers and what they get, and
they are asked for again while somebody is signed in (`hub/renewal.py`).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from hub.discovery import LOOPBACK, Provider, discover
from hub.settings import HubSettings, Reader, SettingsError

BRIDGE, OIDC, GITLAB, GITHUB, LDAP, PAM = KINDS = ("bridge", "oidc", "gitlab", "github", "ldap", "pam")
WITH_SECRET = (OIDC, GITLAB, GITHUB)
USUAL_URLS = {GITLAB: "https://gitlab.com", GITHUB: "https://github.com"}
USUAL_LABELS = {BRIDGE: "CAS", OIDC: "your account", GITLAB: "GitLab", GITHUB: "GitHub"}
ASK_AGAIN_AFTER = 300
"""Seconds, at most, between two questions to the provider about somebody who is at work."""
LDAP_PORTS = {"ldap": 389, "ldaps": 636}
# Names become container names, volume names and Traefik rules, in which a backtick would be code.
USERNAME = r"^[a-z0-9][a-z0-9._@-]{0,62}$"
CLASSES = {
    BRIDGE: "hub.authenticator.OidcAuthenticator",
    OIDC: "hub.authenticator.OidcAuthenticator",
    GITLAB: "hub.authenticator.GitLabAuthenticator",
    GITHUB: "hub.authenticator.GitHubAuthenticator",
    LDAP: "hub.directory.DirectoryAuthenticator",
    PAM: "hub.machine_accounts.MachineAuthenticator",
}


@dataclass(frozen=True)
class Directory:
    """What LDAP needs."""

    user_dn: str
    user_base: str
    user_attribute: str
    search_user: str
    search_password: str = field(repr=False)
    group_base: str
    group_filter: str


@dataclass(frozen=True)
class SignIn:
    """The choice, and what belongs to it; empty what does not."""

    kind: str
    label: str
    max_age: int
    strict: bool
    crypt_keys: tuple[str, ...] = field(repr=False)
    url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    ca_file: Path | None = None
    scopes: tuple[str, ...] = ()
    username_claim: str = ""
    groups_claim: str = ""
    directory: Directory | None = None


def read_sign_in(read: Reader) -> SignIn:
    """The settings of the chosen kind; faults are told by `Reader.check`."""
    kind = read.choice("SIGN_IN", BRIDGE, KINDS)
    ca_file = read.text("SIGN_IN_CA_FILE", "")
    return SignIn(
        kind=kind,
        label=read.text("SIGN_IN_LABEL", USUAL_LABELS.get(kind, "")),
        max_age=int(read.number("SIGN_IN_MAX_AGE", "3600", least=10)),
        strict=read.choice("SIGN_IN_STRICT", "no", ("yes", "no")) == "yes",
        crypt_keys=tuple(key for key in read.secret("HUB_CRYPT_KEY_FILE").split(";") if key.strip()),
        url=_url(read, kind),
        client_id=read.text("SIGN_IN_CLIENT_ID") if kind in WITH_SECRET else "",
        client_secret=read.secret("SIGN_IN_SECRET_FILE") if kind in WITH_SECRET else "",
        ca_file=Path(ca_file) if ca_file else None,
        scopes=tuple(read.text("OIDC_SCOPES", "openid profile email").split()),
        username_claim=read.text("OIDC_USERNAME_CLAIM", "preferred_username"),
        groups_claim=read.text("OIDC_GROUPS_CLAIM", "groups"),
        directory=_directory(read) if kind == LDAP else None,
    )


def _url(read: Reader, kind: str) -> str:
    if kind in (BRIDGE, PAM):
        return ""
    if kind == LDAP:
        url = read.text("SIGN_IN_URL").rstrip("/")
        parts = urlsplit(url)
        if url and not (parts.scheme in LDAP_PORTS and parts.hostname and not parts.path):
            read.wrong("SIGN_IN_URL is no address of a directory, such as ldaps://ldap.example.org")
        return url
    url = read.url("SIGN_IN_URL", USUAL_URLS.get(kind))
    if url.startswith("http:") and urlsplit(url).hostname not in LOOPBACK:
        read.wrong("SIGN_IN_URL is not https, and the secret of the hub would travel in the clear")
    return url


def _directory(read: Reader) -> Directory:
    user_dn, user_base = read.text("LDAP_USER_DN", ""), read.text("LDAP_USER_BASE", "")
    search_user = read.text("LDAP_SEARCH_USER", "")
    if bool(user_dn) == bool(user_base):
        read.wrong("one of LDAP_USER_DN and LDAP_USER_BASE has to be set, and not both")
    if user_dn and "{username}" not in user_dn:
        read.wrong("LDAP_USER_DN has no {username} in it")
    return Directory(
        user_dn=user_dn,
        user_base=user_base,
        user_attribute=read.text("LDAP_USER_ATTRIBUTE", "uid"),
        search_user=search_user,
        search_password=read.secret("SIGN_IN_SECRET_FILE") if search_user else "",
        group_base=read.text("LDAP_GROUP_BASE", ""),
        group_filter=read.text("LDAP_GROUP_FILTER", "(|(member={userdn})(uniqueMember={userdn})(memberUid={uid}))"),
    )


def configure(c: Any, hub: HubSettings, sign_in: SignIn) -> None:
    """Say it to JupyterHub.

    :raises SettingsError: when an OpenID Connect provider cannot be asked for its endpoints
    """
    c.JupyterHub.authenticator_class = CLASSES[sign_in.kind]
    c.Authenticator.username_pattern = USERNAME
    c.Authenticator.manage_groups = True
    c.Authenticator.allow_all = hub.everyone_is_allowed
    # Tokens and the time of the last answer are kept, encrypted: without them nobody can be asked again.
    c.Authenticator.enable_auth_state = True
    c.CryptKeeper.keys = list(sign_in.crypt_keys)
    c.Authenticator.auth_refresh_age = min(ASK_AGAIN_AFTER, sign_in.max_age)
    c.Authenticator.auth_refresh_strict = sign_in.strict
    c.Authenticator.refresh_pre_spawn = True
    if sign_in.kind in (LDAP, PAM):
        c.ByGroups.entry_groups = set(hub.allowed_groups)
        c.ByGroups.administrator_groups = set(hub.admin_groups)
    else:
        _configure_oauth(c, hub, sign_in)
    by_kind: dict[str, Callable[[Any, HubSettings, SignIn], None]] = {
        BRIDGE: _bridge,
        OIDC: _oidc,
        GITLAB: _gitlab,
        GITHUB: _github,
        LDAP: _ldap,
        PAM: _pam,
    }
    by_kind[sign_in.kind](c, hub, sign_in)


def _configure_oauth(c: Any, hub: HubSettings, sign_in: SignIn) -> None:
    # A page with one button rather than `auto_login`: a browser that reopens five tabs would start five sign-ins, of
    # which one at most succeeds (each replaces the state of the one before), and whoever signs out on a shared
    # computer would be signed in again by the next click, for as long as the provider remembers them.
    c.OAuthenticator.auto_login = False
    c.OAuthenticator.login_service = sign_in.label
    c.OAuthenticator.client_id = sign_in.client_id
    c.OAuthenticator.client_secret = sign_in.client_secret
    c.OAuthenticator.oauth_callback_url = f"{hub.public_url}/hub/oauth_callback"
    c.OAuthenticator.enable_pkce = True
    c.OAuthenticator.scope = list(sign_in.scopes)
    c.OAuthenticator.username_claim = sign_in.username_claim
    c.OAuthenticator.admin_groups = set(hub.admin_groups)
    c.OAuthenticator.allowed_groups = set(hub.allowed_groups)
    c.OAuthenticator.custom_403_message = (
        "You are signed in, but this hub is not open to you. Ask the people who run it to add you to a group that may "
        "use it; then sign in again."
    )
    c.OAuthenticator.http_request_kwargs = {"connect_timeout": 5, "request_timeout": 15}
    if sign_in.ca_file is not None:
        c.OAuthenticator.http_request_kwargs["ca_certs"] = str(sign_in.ca_file)


def _bridge(c: Any, hub: HubSettings, _: SignIn) -> None:
    c.OAuthenticator.client_id = hub.oauth_client_id
    c.OAuthenticator.client_secret = hub.oauth_client_secret
    c.OAuthenticator.scope = ["openid", "profile", "email", "groups"]
    c.OAuthenticator.username_claim = "preferred_username"
    c.OAuthenticator.auth_state_groups_key = "oauth_user.groups"
    # The browser goes to the public address, the hub itself to the internal one: no way out and back in again through
    # a firewall that may not allow it, and no certificate to trust on the way.
    c.OAuthenticator.authorize_url = f"{hub.auth_public_url}/authorize"
    c.OAuthenticator.token_url = f"{hub.auth_internal_url}/token"
    c.OAuthenticator.userdata_url = f"{hub.auth_internal_url}/userinfo"
    # Signing out of the hub alone would sign the next person at a shared computer in again by one click. The bridge
    # asks, ends its own session as well, and lets nobody else in by CAS's memory.
    c.OAuthenticator.logout_redirect_url = _logout_url(f"{hub.auth_public_url}/logout", hub.oauth_client_id, hub)


def _oidc(c: Any, hub: HubSettings, sign_in: SignIn) -> None:
    provider: Provider = discover(sign_in.url, ca_file=sign_in.ca_file, kept_in=hub.data_dir / "provider.json")
    c.OAuthenticator.authorize_url = provider.authorize_url
    c.OAuthenticator.token_url = provider.token_url
    c.OAuthenticator.userdata_url = provider.userinfo_url
    c.OAuthenticator.basic_auth = provider.basic_auth
    c.OAuthenticator.auth_state_groups_key = f"oauth_user.{sign_in.groups_claim}"
    if provider.end_session_url:
        c.OAuthenticator.logout_redirect_url = _logout_url(provider.end_session_url, sign_in.client_id, hub)


def _gitlab(c: Any, _: HubSettings, sign_in: SignIn) -> None:
    c.GitLabOAuthenticator.gitlab_url = sign_in.url
    # GitLab's API names no groups of the user; its userinfo endpoint does, for an application with the scope openid.
    c.OAuthenticator.userdata_url = f"{sign_in.url}/oauth/userinfo"
    c.OAuthenticator.scope = ["openid", "profile", "email"]
    c.OAuthenticator.username_claim = "preferred_username"
    c.OAuthenticator.auth_state_groups_key = "gitlab_user.groups"


def _github(c: Any, _: HubSettings, sign_in: SignIn) -> None:
    from hub.authenticator import github_groups  # noqa: PLC0415  only here is JupyterHub itself needed

    c.GitHubOAuthenticator.github_url = sign_in.url
    c.GitHubOAuthenticator.populate_teams_in_auth_state = True
    c.OAuthenticator.scope = ["read:org", "user:email"]
    c.OAuthenticator.username_claim = "login"
    c.OAuthenticator.auth_state_groups_key = github_groups


def _ldap(c: Any, _: HubSettings, sign_in: SignIn) -> None:
    directory, parts = sign_in.directory, urlsplit(sign_in.url)
    assert directory is not None  # noqa: S101  read with the kind
    ldap = c.DirectoryAuthenticator
    ldap.server_address = parts.hostname
    ldap.server_port = parts.port or LDAP_PORTS[parts.scheme]
    # By either scheme nothing goes in the clear: ldap:// is upgraded (StartTLS) before the first password.
    ldap.tls_strategy = "on_connect" if parts.scheme == "ldaps" else "before_bind"
    # ldap3 checks no certificate unless it is told to.
    ldap.tls_kwargs = {"validate": ssl.CERT_REQUIRED, "version": ssl.PROTOCOL_TLS_CLIENT}
    if sign_in.ca_file is not None:
        ldap.tls_kwargs["ca_certs_file"] = str(sign_in.ca_file)
    ldap.valid_username_regex = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$"
    ldap.lookup_dn_search_user = directory.search_user or None
    ldap.lookup_dn_search_password = directory.search_password or None
    if directory.user_base:
        ldap.lookup_dn = True
        ldap.user_search_base = directory.user_base
        ldap.user_attribute = directory.user_attribute
        ldap.lookup_dn_user_dn_attribute = directory.user_attribute
    else:
        ldap.bind_dn_template = [directory.user_dn]
    ldap.group_base = directory.group_base
    ldap.group_search_filter = directory.group_filter


def _pam(c: Any, _hub: HubSettings, _sign_in: SignIn) -> None:
    from hub.machine_accounts import has_people  # noqa: PLC0415  likewise

    c.PAMAuthenticator.open_sessions = False
    if not has_people():
        raise SettingsError(
            "the hub cannot start, SIGN_IN is pam but there is no account of a person where the hub runs: add "
            "compose.pam.yml, which lends it this machine's (COMPOSE_FILE=compose.yml:compose.pam.yml in .env)."
        )


def _logout_url(end_session_url: str, client_id: str, hub: HubSettings) -> str:
    back = urlencode({"client_id": client_id, "post_logout_redirect_uri": f"{hub.public_url}/hub/login"})
    return f"{end_session_url}{'&' if urlsplit(end_session_url).query else '?'}{back}"
