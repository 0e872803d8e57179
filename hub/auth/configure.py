"""What JupyterHub is told for each way to sign in. The settings come from `hub/auth/settings.py`."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from hub.auth.oidc_discovery import Provider, discover
from hub.auth.settings import BRIDGE, GITHUB, GITLAB, LDAP, LDAP_PORTS, OIDC, PAM, WITH_SECRET, SignIn
from hub.config.settings import HubSettings, SettingsError

ASK_AGAIN_AFTER = 300
"""Seconds, at most, between two questions to the provider about somebody who is at work."""
# Names become container names, volume names and Traefik rules, in which a backtick would be code.
USERNAME = r"^[a-z0-9][a-z0-9._@-]{0,62}$"
CLASSES = {
    BRIDGE: "hub.auth.oauth.OidcAuthenticator",
    OIDC: "hub.auth.oauth.OidcAuthenticator",
    GITLAB: "hub.auth.oauth.GitLabAuthenticator",
    GITHUB: "hub.auth.oauth.GitHubAuthenticator",
    LDAP: "hub.auth.ldap.LdapAuthenticator",
    PAM: "hub.auth.pam.PamAuthenticator",
}


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
        c.GroupsAuthenticator.entry_groups = set(hub.allowed_groups)
        c.GroupsAuthenticator.administrator_groups = set(hub.admin_groups)
    else:
        _configure_oauth(c, hub, sign_in)
    if sign_in.kind in WITH_SECRET:
        c.OAuthRefreshMixin.renamed_at = sign_in.url
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
    from hub.auth.oauth import github_groups  # noqa: PLC0415  only here is JupyterHub itself needed

    c.GitHubOAuthenticator.github_url = sign_in.url
    c.GitHubOAuthenticator.populate_teams_in_auth_state = True
    c.OAuthenticator.scope = ["read:org", "user:email"]
    c.OAuthenticator.username_claim = "login"
    c.OAuthenticator.auth_state_groups_key = github_groups


def _ldap(c: Any, _: HubSettings, sign_in: SignIn) -> None:
    directory, parts = sign_in.directory, urlsplit(sign_in.url)
    assert directory is not None  # noqa: S101  read with the kind
    ldap = c.LdapAuthenticator
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
    from hub.auth.pam import has_people  # noqa: PLC0415  likewise

    c.PAMAuthenticator.open_sessions = False
    if not has_people():
        raise SettingsError(
            "the hub cannot start, AUTH_METHOD is pam but there is no account of a person where the hub runs: add "
            "compose.pam.yml, which lends it this machine's (COMPOSE_FILE=compose.yml:compose.pam.yml in .env)."
        )


def _logout_url(end_session_url: str, client_id: str, hub: HubSettings) -> str:
    back = urlencode({"client_id": client_id, "post_logout_redirect_uri": f"{hub.public_url}/hub/login"})
    return f"{end_session_url}{'&' if urlsplit(end_session_url).query else '?'}{back}"
