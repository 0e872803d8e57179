"""Authentication methods: their settings, and JupyterHub's configuration."""

from __future__ import annotations

import pwd
import ssl
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from traitlets import import_item
from traitlets.config import Config

from hub.auth.configure import AUTHENTICATORS, configure_auth
from hub.auth.oauth import github_groups
from hub.auth.oidc_discovery import check_document, uses_basic_auth
from hub.auth.pam import has_user_accounts
from hub.config.auth_settings import AuthSettings, GitLabAuth
from hub.config.field_types import SettingsError
from hub.config.settings import HubSettings, load_settings

LDAP = {"AUTH_URL": "ldaps://ldap.example.org", "AUTH_LDAP_USER_DN": "uid={username},dc=example"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secret").write_text("a secret\n")
    (tmp_path / "key").write_text("0f" * 32)
    secret = str(tmp_path / "secret")
    return {
        "HUB_PUBLIC_URL": "https://hub.example.org",
        "AUTH_PUBLIC_URL": "https://auth.example.org",
        "AUTH_INTERNAL_URL": "http://bridge:8000",
        "OAUTH_CLIENT_ID": "jupyterhub",
        "OAUTH_CLIENT_SECRET_FILE": secret,
        "HUB_CRYPT_KEY_FILE": str(tmp_path / "key"),
        "HUB_API_CONNECT_URL": "http://hub:8081",
        "HUB_DATA_DIR": str(tmp_path),
        "TRAEFIK_DYNAMIC_FILE": "/dynamic/hub.toml",
        "TRAEFIK_API_URL": "http://traefik:8099",
        "TRAEFIK_API_PASSWORD_FILE": secret,
        "AUTH_ALLOWED_GROUPS": "staff",
        "AUTH_ADMIN_GROUPS": "admins",
    }


def load(environ: dict[str, str]) -> AuthSettings:
    return load_settings(environ, HubSettings).auth


def configure(environ: dict[str, str]) -> Config:
    c = Config()
    configure_auth(c, load_settings(environ, HubSettings))
    return c


def load_error(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    message = str(caught.value)
    assert message.count("\n") == 0
    return message


def provider(tmp_path: Path, method: str, **changed: str) -> dict[str, str]:
    """Settings of an OAuth provider with its client id and secret."""
    secret = str(tmp_path / "secret")
    return {"AUTH_METHOD": method, "AUTH_CLIENT_ID": "the-hub", "AUTH_SECRET_FILE": secret} | changed


def test_bridge_is_default_method(environ: dict[str, str]) -> None:
    auth = load(environ)
    assert (auth.method, auth.refresh_seconds, auth.refresh_strict) == ("bridge", 3600, "no")


def test_unknown_method_is_rejected_with_alternatives(environ: dict[str, str]) -> None:
    message = load_error(environ | {"AUTH_METHOD": "saml"})
    expected = "'bridge', 'oidc', 'gitlab', 'github', 'ldap', 'pam'"
    assert f"AUTH_METHOD is 'saml' but must be one of: {expected}" in message


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("oidc", "AUTH_URL, AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("gitlab", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("github", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("ldap", "AUTH_URL"),
    ],
)
def test_error_names_all_settings_missing_for_method(environ: dict[str, str], method: str, missing: str) -> None:
    assert f"not set: {missing}" in load_error(environ | {"AUTH_METHOD": method})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"AUTH_LDAP_USER_DN": ""}, "AUTH_LDAP_USER_BASE and AUTH_LDAP_USER_DN are alternatives: set exactly one"),
        ({"AUTH_LDAP_USER_BASE": "dc=example"}, "AUTH_LDAP_USER_BASE and AUTH_LDAP_USER_DN are alternatives"),
        (
            {"AUTH_LDAP_USER_DN": "uid=,dc=example"},
            "AUTH_LDAP_USER_DN is 'uid=,dc=example' but must contain {username}",
        ),
        ({"AUTH_URL": "https://ldap.example.org"}, "must be the URL of a directory"),
        ({"AUTH_URL": "ldaps://ldap.example.org/dc=example"}, "must be the URL of a directory"),
        ({"AUTH_URL": "ldaps://ldap.example.org:abc"}, "is not a URL: Port could not be cast"),
        ({"AUTH_URL": "ldaps://ldap.example.org:65536"}, "is not a URL: Port out of range"),
        ({"AUTH_URL": "ldaps://[ldap.example.org"}, "is not a URL: Invalid IPv6"),
        ({"AUTH_LDAP_SEARCH_USER": "cn=reader"}, "AUTH_SECRET_FILE is not set, but AUTH_LDAP_SEARCH_USER needs"),
    ],
)
def test_incomplete_ldap_settings_are_rejected(environ: dict[str, str], changed: dict[str, str], message: str) -> None:
    assert message in load_error(environ | {"AUTH_METHOD": "ldap"} | LDAP | changed)


def test_provider_must_use_https_except_on_loopback(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= provider(tmp_path, "gitlab")
    assert "AUTH_URL is not https" in load_error(environ | {"AUTH_URL": "http://gitlab.example.org"})
    assert "is not a URL: Port could not be cast" in load_error(environ | {"AUTH_URL": "https://gitlab.example.org:x"})
    auth = load(environ | {"AUTH_URL": "http://127.0.0.1:9"})
    assert isinstance(auth, GitLabAuth)
    assert auth.url == "http://127.0.0.1:9"


@pytest.mark.filterwarnings("ignore:t.*Map is deprecated:DeprecationWarning")  # ldap3, of pyasn1
@pytest.mark.parametrize("method", AUTHENTICATORS)
def test_every_authenticator_revalidates_users(method: str) -> None:
    found = import_item(AUTHENTICATORS[method])
    assert issubclass(found, Authenticator)
    assert found.__mro__.index(import_item("hub.auth.refresh.AuthRefreshMixin")) < found.__mro__.index(Authenticator)


def test_auth_state_is_encrypted_and_refreshed(environ: dict[str, str]) -> None:
    c = configure(environ)
    assert c.Authenticator.enable_auth_state is True
    assert c.CryptKeeper["keys"] == ["0f" * 32]
    assert c.Authenticator.auth_refresh_age == 300
    assert c.Authenticator.auth_refresh_strict is False


def test_crypt_key_file_may_hold_several_keys(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{'aa' * 32};{'0f' * 32}\n")
    assert configure(environ).CryptKeeper["keys"] == ["aa" * 32, "0f" * 32]


def test_gitlab_groups_come_from_userinfo_of_configured_server(environ: dict[str, str], tmp_path: Path) -> None:
    changed = provider(tmp_path, "gitlab")
    assert configure(environ | changed).GitLabOAuthenticator.gitlab_url == "https://gitlab.com"
    c = configure(environ | changed | {"AUTH_URL": "https://git.example.org/"})
    assert c.GitLabOAuthenticator.gitlab_url == "https://git.example.org"
    assert c.OAuthenticator.userdata_url == "https://git.example.org/oauth/userinfo"
    assert c.OAuthenticator.client_secret == "a secret"


def test_github_teams_and_organisations_become_groups(environ: dict[str, str], tmp_path: Path) -> None:
    changed = provider(tmp_path, "github")
    c = configure(environ | changed)
    authenticator: Any = import_item(c.JupyterHub.authenticator_class)(config=c)
    assert authenticator.authorize_url == "https://github.com/login/oauth/authorize"
    assert authenticator.userdata_url == "https://api.github.com/user"
    assert (authenticator.populate_teams_in_auth_state, "read:org" in authenticator.scope) == (True, True)
    teams = [{"slug": "algebra", "organization": {"login": "faculty"}, "name": "Algebra!"}]
    assert authenticator.auth_state_groups_key({"teams": teams}) == {"faculty", "faculty/algebra"}
    assert github_groups({}) == set()


def test_github_enterprise_api_is_on_configured_host(environ: dict[str, str], tmp_path: Path) -> None:
    changed = provider(tmp_path, "github")
    c = configure(environ | changed | {"AUTH_URL": "https://git.example.org"})
    authenticator: Any = import_item(c.JupyterHub.authenticator_class)(config=c)
    assert authenticator.userdata_url == "https://git.example.org/api/v3/user"


@pytest.mark.parametrize(
    ("method", "url", "host"),
    [
        ("github", "", "github.com"),
        ("gitlab", "https://www.GitLab.com/", "gitlab.com"),
        ("oidc", "https://accounts.google.com", "accounts.google.com"),
    ],
)
def test_public_provider_requires_named_groups(
    environ: dict[str, str], tmp_path: Path, method: str, url: str, host: str
) -> None:
    changed = provider(tmp_path, method, AUTH_URL=url)
    assert load(environ | changed).method == method
    message = load_error(environ | changed | {"AUTH_ALLOWED_GROUPS": "staff;*"})
    assert f"AUTH_URL leads to {host}, where anyone can create an account: replace * in AUTH_ALLOWED_GROUPS" in message


def test_private_provider_may_allow_all_users(environ: dict[str, str], tmp_path: Path) -> None:
    changed = provider(tmp_path, "gitlab", AUTH_ALLOWED_GROUPS="*", AUTH_URL="https://gitlab.example.org")
    assert load(environ | changed).allow_all


@pytest.mark.parametrize(("method", "url"), [("gitlab", "https://gitlab.com"), ("github", "https://github.com")])
def test_accounts_are_bound_to_provider_url(environ: dict[str, str], tmp_path: Path, method: str, url: str) -> None:
    assert configure(environ | provider(tmp_path, method)).OAuthRefreshMixin.renaming_provider == url


def test_accounts_are_bound_to_the_bridge(environ: dict[str, str]) -> None:
    assert configure(environ).OAuthRefreshMixin.renaming_provider == environ["AUTH_PUBLIC_URL"]


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("ldaps://ldap.example.org", 636, "on_connect"),
        ("ldap://ldap.example.org", 389, "before_bind"),
        ("ldap://ldap.example.org:1389", 1389, "before_bind"),
    ],
)
def test_ldap_connection_always_uses_tls(environ: dict[str, str], url: str, port: int, tls: str) -> None:
    c = configure(environ | {"AUTH_METHOD": "ldap", **LDAP, "AUTH_URL": url}).LdapAuthenticator
    assert (c.server_address, c.server_port, c.tls_strategy) == ("ldap.example.org", port, tls)
    assert c.tls_kwargs["validate"] == ssl.CERT_REQUIRED


def test_accounts_of_the_hub_image_are_no_user_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    own = pwd.struct_passwd(("passerelle-hub", "x", 10002, 10002, "", "/", "/usr/sbin/nologin"))
    root = pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "/bin/sh"))
    monkeypatch.setattr("pwd.getpwall", lambda: [root, own])
    assert not has_user_accounts()


def test_pam_without_accounts_names_compose_file(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.auth.pam.has_user_accounts", lambda: False)
    with pytest.raises(SettingsError, match=r"COMPOSE_FILE=compose.yml:compose.pam.yml"):
        configure(environ | {"AUTH_METHOD": "pam"})


DOCUMENT = {
    "issuer": "https://sso.example.org/main",
    "authorization_endpoint": "https://sso.example.org/main/authorize",
    "token_endpoint": "https://sso.example.org/main/token",
    "userinfo_endpoint": "https://sso.example.org/main/userinfo",
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"issuer": "https://evil.example"}, "it is the document of"),
        ({"token_endpoint": None}, "no token_endpoint"),
        ({"token_endpoint": "http://sso.example.org/token"}, "token_endpoint is not https"),
    ],
)
def test_untrusted_discovery_document_is_rejected(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_document({**DOCUMENT, **changed}, issuer="https://sso.example.org/main")


def test_client_secret_uses_supported_auth_method() -> None:
    assert uses_basic_auth(DOCUMENT) is True
    post = {**DOCUMENT, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert uses_basic_auth(post) is False


def test_repr_of_settings_contains_no_secret(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {
        "AUTH_METHOD": "ldap",
        **LDAP,
        "AUTH_LDAP_SEARCH_USER": "cn=r",
        "AUTH_SECRET_FILE": str(tmp_path / "secret"),
    }
    assert "a secret" not in repr(load(environ | changed))
    assert "0f0f" not in repr(load(environ | changed))
