"""JupyterHub's configuration of user authentication, from `hub/config/auth_settings.py`."""

import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

from hub.auth import pam
from hub.auth.backchannel_logout import Provider
from hub.auth.oauth import github_groups
from hub.auth.oidc_discovery import discover, uses_basic_auth
from hub.auth.usernames import USERNAME_PATTERN
from hub.config.auth_settings import (
    LDAP_PORTS,
    BridgeAuth,
    GitHubAuth,
    GitLabAuth,
    LdapAuth,
    OAuthSettings,
    OidcAuth,
    PamAuth,
)
from hub.config.field_types import SettingsError
from hub.config.settings import HubSettings, ServerSettings
from passerelle_common.i18n import gettext_noop

SIGNED_OUT = "signed-out"
"""`state` of a logout request: the provider returns it to the login page, which then says what has ended."""
MAX_REFRESH_AGE = 300
"""Longest time in seconds between two revalidations of an active user."""
AUTHENTICATORS = {
    "bridge": "hub.auth.oauth.OidcAuthenticator",
    "oidc": "hub.auth.oauth.OidcAuthenticator",
    "gitlab": "hub.auth.oauth.GitLabAuthenticator",
    "github": "hub.auth.oauth.GitHubAuthenticator",
    "ldap": "hub.auth.ldap.LdapAuthenticator",
    "pam": "hub.auth.pam.PamAuthenticator",
}
ACCESS_DENIED = gettext_noop(
    "You are signed in, but you do not have access to this hub. Ask its administrator to add you to a group with "
    "access, then sign in again."
)


def configure_auth(c: Any, settings: HubSettings) -> Provider | None:
    """Configure the authenticator for the selected method.

    Return the provider whose logout tokens the hub accepts, if there is one.

    Raises:
        SettingsError: The OpenID Connect provider is unreachable, or PAM has no user accounts.
    """
    auth, server = settings.auth, settings.server
    c.JupyterHub.authenticator_class = AUTHENTICATORS[auth.method]
    c.Authenticator.username_pattern = USERNAME_PATTERN
    c.Authenticator.manage_groups = True
    c.Authenticator.allow_all = auth.allow_all
    # Revalidation needs the stored tokens and the time of the last response; they are encrypted.
    c.Authenticator.enable_auth_state = True
    c.CryptKeeper.keys = [key for key in auth.crypt_key.get_secret_value().split(";") if key.strip()]
    c.Authenticator.auth_refresh_age = min(MAX_REFRESH_AGE, auth.refresh_seconds)
    c.Authenticator.auth_refresh_strict = auth.refresh_strict == "yes"
    c.Authenticator.refresh_pre_spawn = True
    c.GroupsAuthenticator.access_groups = c.OAuthenticator.allowed_groups = set(auth.allowed_groups)
    c.GroupsAuthenticator.administrator_groups = c.OAuthenticator.admin_groups = set(auth.admin_groups)
    c.GroupsAuthenticator.proxy_host = urlsplit(settings.traefik.api_url).hostname
    match auth:
        case LdapAuth():
            _configure_ldap(c, auth)
        case PamAuth():
            c.PAMAuthenticator.open_sessions = False
            if not pam.has_user_accounts():
                raise SettingsError(
                    "the hub cannot start: AUTH_METHOD is pam but the hub's container has no user accounts. Add "
                    "compose.pam.yml, which mounts this machine's accounts "
                    "(COMPOSE_FILE=compose.yml:compose.pam.yml in .env)."
                )
        case _:
            return _configure_oauth(c, server, auth)
    return None


def _configure_oauth(c: Any, server: ServerSettings, auth: OAuthSettings) -> Provider | None:
    # A page with one button, not `auto_login`. A browser that reopens five tabs would start five logins, and each would
    # overwrite the state of the one before. On a shared computer, the next click after logout would log in again.
    c.OAuthenticator.auto_login = False
    c.OAuthenticator.login_service = auth.label
    c.OAuthenticator.client_id = auth.client_id
    c.OAuthenticator.client_secret = auth.client_secret.get_secret_value()
    c.OAuthenticator.oauth_callback_url = f"{server.public_url}/hub/oauth_callback"
    c.OAuthenticator.enable_pkce = True
    c.OAuthenticator.username_claim = "preferred_username"
    c.OAuthenticator.custom_403_message = ACCESS_DENIED
    c.OAuthenticator.http_request_kwargs = {"connect_timeout": 5, "request_timeout": 15}
    if auth.ca_file is not None:
        c.OAuthenticator.http_request_kwargs["ca_certs"] = str(auth.ca_file)
    c.OAuthRefreshMixin.renaming_provider = auth.public_url if isinstance(auth, BridgeAuth) else auth.url
    match auth:
        case BridgeAuth():
            return _configure_bridge(c, server, auth)
        case OidcAuth():
            return _configure_oidc(c, server, auth)
        case GitLabAuth():
            c.GitLabOAuthenticator.gitlab_url = auth.url
            # GitLab's user API returns no groups; its userinfo endpoint does, for an application with the scope openid.
            c.OAuthenticator.userdata_url = f"{auth.url}/oauth/userinfo"
            c.OAuthenticator.scope = ["openid", "profile", "email"]
            c.OAuthenticator.auth_state_groups_key = "gitlab_user.groups"
        case GitHubAuth():
            c.GitHubOAuthenticator.github_url = auth.url
            c.GitHubOAuthenticator.populate_teams_in_auth_state = True
            c.OAuthenticator.scope = ["read:org", "user:email"]
            c.OAuthenticator.username_claim = "login"
            c.OAuthenticator.auth_state_groups_key = github_groups
    return None


def _configure_bridge(c: Any, server: ServerSettings, auth: BridgeAuth) -> Provider:
    c.OAuthenticator.scope = ["openid", "profile", "email", "groups"]
    c.OAuthenticator.auth_state_groups_key = "oauth_user.groups"
    # The browser uses the public URL and the hub the internal one, which needs neither a route through the firewall nor
    # a trusted certificate.
    c.OAuthenticator.authorize_url = f"{auth.public_url}/authorize"
    c.OAuthenticator.token_url = f"{auth.internal_url}/token"
    c.OAuthenticator.userdata_url = f"{auth.internal_url}/userinfo"
    # After a logout of the hub alone, one click on a shared computer would log in again. The bridge asks for
    # confirmation and ends its own session as well.
    c.OAuthenticator.logout_redirect_url = _logout_url(f"{auth.public_url}/logout", auth.client_id, server)
    return Provider(auth.public_url, auth.client_id, f"{auth.internal_url}/.well-known/jwks.json")


def _configure_oidc(c: Any, server: ServerSettings, auth: OidcAuth) -> Provider | None:
    document = discover(auth.url, ca_file=auth.ca_file, cache=server.data_dir / "provider.json")
    c.OAuthenticator.scope = auth.scopes.split()
    c.OAuthenticator.username_claim = auth.username_claim
    c.OAuthenticator.authorize_url = document["authorization_endpoint"]
    c.OAuthenticator.token_url = document["token_endpoint"]
    c.OAuthenticator.userdata_url = document["userinfo_endpoint"]
    c.OAuthenticator.basic_auth = uses_basic_auth(document)
    c.OAuthenticator.auth_state_groups_key = f"oauth_user.{auth.groups_claim}"
    if end_session_url := document.get("end_session_endpoint"):
        c.OAuthenticator.logout_redirect_url = _logout_url(str(end_session_url), auth.client_id, server)
    jwks_url = document.get("jwks_uri")
    return Provider(document["issuer"], auth.client_id, str(jwks_url), auth.ca_file) if jwks_url else None


def _configure_ldap(c: Any, auth: LdapAuth) -> None:
    url, ldap = urlsplit(auth.url), c.LdapAuthenticator
    ldap.server_address = url.hostname
    ldap.server_port = url.port or LDAP_PORTS[url.scheme]
    # Neither scheme sends a password unencrypted: ldap:// is upgraded by StartTLS before the first bind.
    ldap.tls_strategy = "on_connect" if url.scheme == "ldaps" else "before_bind"
    # By default, ldap3 verifies no certificate.
    ldap.tls_kwargs = {"validate": ssl.CERT_REQUIRED, "version": ssl.PROTOCOL_TLS_CLIENT}
    if auth.ca_file is not None:
        ldap.tls_kwargs["ca_certs_file"] = str(auth.ca_file)
    ldap.valid_username_regex = f"(?ai:{USERNAME_PATTERN})"
    ldap.lookup_dn_search_user = auth.search_user or None
    ldap.lookup_dn_search_password = auth.search_password.get_secret_value() if auth.search_password else None
    if auth.user_base:
        ldap.lookup_dn = True
        ldap.user_search_base = auth.user_base
        ldap.user_attribute = auth.user_attribute
        ldap.lookup_dn_user_dn_attribute = auth.user_attribute
    else:
        ldap.bind_dn_template = [auth.user_dn]
    ldap.group_base = auth.group_base
    ldap.group_search_filter = auth.group_filter


def _logout_url(end_session_url: str, client_id: str, server: ServerSettings) -> str:
    page = {"post_logout_redirect_uri": f"{server.public_url}/hub/login", "state": SIGNED_OUT}
    query = urlencode({"client_id": client_id, **page})
    return f"{end_session_url}{'&' if urlsplit(end_session_url).query else '?'}{query}"
