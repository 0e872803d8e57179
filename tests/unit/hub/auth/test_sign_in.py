"""Each way to sign in: what it needs, what it lacks, and what JupyterHub is told."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from traitlets import import_item
from traitlets.config import Config

from hub.auth.configure import CLASSES, configure
from hub.auth.oauth import github_groups
from hub.auth.oidc_discovery import provider_of
from hub.auth.settings import KINDS, SignIn, read_sign_in
from hub.config.settings import Reader, SettingsError, read_hub

CLIENT = {"AUTH_CLIENT_ID": "the-hub"}
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


def read(environ: dict[str, str]) -> SignIn:
    reader = Reader(environ)
    read_hub(reader)
    chosen = read_sign_in(reader)
    reader.check()
    return chosen


def configured(environ: dict[str, str]) -> Config:
    reader = Reader(environ)
    hub, c = read_hub(reader), Config()
    configure(c, hub, read_sign_in(reader))
    reader.check()
    return c


def fault(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read(environ)
    told = str(caught.value)
    assert told.count("\n") == 0
    return told


def test_the_bridge_is_the_default_and_needs_nothing_more(environ: dict[str, str]) -> None:
    chosen = read(environ)
    assert (chosen.kind, chosen.max_age, chosen.strict) == ("bridge", 3600, False)


def test_an_unknown_way_is_told_with_those_that_there_are(environ: dict[str, str]) -> None:
    told = fault(environ | {"AUTH_METHOD": "saml"})
    assert "AUTH_METHOD is 'saml' but must be one of: bridge, oidc, gitlab, github, ldap, pam" in told


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("oidc", "AUTH_URL, AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("gitlab", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("github", "AUTH_CLIENT_ID, AUTH_SECRET_FILE"),
        ("ldap", "AUTH_URL"),
    ],
)
def test_all_that_a_way_lacks_is_named_at_once(environ: dict[str, str], kind: str, missing: str) -> None:
    assert f"not set: {missing}" in fault(environ | {"AUTH_METHOD": kind})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"AUTH_LDAP_USER_DN": ""}, "one of AUTH_LDAP_USER_DN and AUTH_LDAP_USER_BASE has to be set"),
        ({"AUTH_LDAP_USER_BASE": "dc=example"}, "and not both"),
        ({"AUTH_LDAP_USER_DN": "uid=,dc=example"}, "no {username} in it"),
        ({"AUTH_URL": "https://ldap.example.org"}, "no address of a directory"),
        ({"AUTH_URL": "ldaps://ldap.example.org/dc=example"}, "no address of a directory"),
        ({"AUTH_LDAP_SEARCH_USER": "cn=reader"}, "not set: AUTH_SECRET_FILE"),
    ],
)
def test_a_directory_that_is_half_described_is_refused(
    environ: dict[str, str], changed: dict[str, str], words: str
) -> None:
    assert words in fault(environ | {"AUTH_METHOD": "ldap"} | LDAP | changed)


def test_a_provider_in_the_clear_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {"AUTH_METHOD": "gitlab", **CLIENT, "AUTH_SECRET_FILE": str(tmp_path / "secret")}
    assert "AUTH_URL is not https" in fault(environ | changed | {"AUTH_URL": "http://gitlab.example.org"})
    assert read(environ | changed | {"AUTH_URL": "http://127.0.0.1:9"}).url == "http://127.0.0.1:9"


@pytest.mark.filterwarnings("ignore:t.*Map is deprecated:DeprecationWarning")  # ldap3, of pyasn1
@pytest.mark.parametrize("kind", KINDS)
def test_each_way_is_an_authenticator_that_asks_again(kind: str) -> None:
    found = import_item(CLASSES[kind])
    assert issubclass(found, Authenticator)
    assert found.__mro__.index(import_item("hub.auth.refresh.AuthRefreshMixin")) < found.__mro__.index(Authenticator)


def test_what_is_remembered_is_encrypted_and_asked_for_again(environ: dict[str, str]) -> None:
    c = configured(environ)
    assert c.Authenticator.enable_auth_state is True
    assert c.CryptKeeper["keys"] == ["0f" * 32]
    assert c.Authenticator.auth_refresh_age == 300
    assert c.Authenticator.auth_refresh_strict is False


def test_a_changed_key_goes_in_front_of_the_old_one(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{'aa' * 32};{'0f' * 32}\n")
    assert configured(environ).CryptKeeper["keys"] == ["aa" * 32, "0f" * 32]


def test_gitlab_of_ones_own_is_asked_where_it_names_groups(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {"AUTH_METHOD": "gitlab", **CLIENT, "AUTH_SECRET_FILE": str(tmp_path / "secret")}
    assert configured(environ | changed).GitLabOAuthenticator.gitlab_url == "https://gitlab.com"
    c = configured(environ | changed | {"AUTH_URL": "https://git.example.org/"})
    assert c.GitLabOAuthenticator.gitlab_url == "https://git.example.org"
    assert c.OAuthenticator.userdata_url == "https://git.example.org/oauth/userinfo"
    assert c.OAuthenticator.client_secret == "a secret"


def test_github_is_asked_for_teams_and_they_are_the_groups(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {"AUTH_METHOD": "github", **CLIENT, "AUTH_SECRET_FILE": str(tmp_path / "secret")}
    c = configured(environ | changed)
    authenticator: Any = import_item(c.JupyterHub.authenticator_class)(config=c)
    assert authenticator.authorize_url == "https://github.com/login/oauth/authorize"
    assert authenticator.userdata_url == "https://api.github.com/user"
    assert (authenticator.populate_teams_in_auth_state, "read:org" in authenticator.scope) == (True, True)
    teams = [{"slug": "algebra", "organization": {"login": "faculty"}, "name": "Algebra!"}]
    assert authenticator.auth_state_groups_key({"teams": teams}) == {"faculty", "faculty/algebra"}
    assert github_groups({}) == set()


def test_github_of_ones_own_has_its_api_on_the_same_host(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {"AUTH_METHOD": "github", **CLIENT, "AUTH_SECRET_FILE": str(tmp_path / "secret")}
    c = configured(environ | changed | {"AUTH_URL": "https://git.example.org"})
    authenticator: Any = import_item(c.JupyterHub.authenticator_class)(config=c)
    assert authenticator.userdata_url == "https://git.example.org/api/v3/user"


@pytest.mark.parametrize(
    ("kind", "url", "host"),
    [
        ("github", "", "github.com"),
        ("gitlab", "https://www.GitLab.com/", "gitlab.com"),
        ("oidc", "https://accounts.google.com", "accounts.google.com"),
    ],
)
def test_where_the_whole_world_has_accounts_everybody_is_refused(
    environ: dict[str, str], tmp_path: Path, kind: str, url: str, host: str
) -> None:
    changed = {"AUTH_METHOD": kind, **CLIENT, "AUTH_SECRET_FILE": str(tmp_path / "secret"), "AUTH_URL": url}
    assert read(environ | changed).kind == kind
    told = fault(environ | changed | {"AUTH_ALLOWED_GROUPS": "staff;*"})
    assert f"AUTH_ALLOWED_GROUPS is * but anybody in the world can have an account at {host}" in told


def test_everybody_at_a_provider_of_ones_own_may_enter(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {
        "AUTH_METHOD": "gitlab",
        **CLIENT,
        "AUTH_SECRET_FILE": str(tmp_path / "secret"),
        "AUTH_ALLOWED_GROUPS": "*",
    }
    assert read(environ | changed | {"AUTH_URL": "https://gitlab.example.org"})


@pytest.mark.parametrize(("kind", "place"), [("gitlab", "https://gitlab.com"), ("github", "https://github.com")])
def test_what_is_kept_of_a_person_is_kept_of_this_provider(
    environ: dict[str, str], tmp_path: Path, kind: str, place: str
) -> None:
    changed = {"AUTH_METHOD": kind, "AUTH_SECRET_FILE": str(tmp_path / "secret")} | CLIENT
    assert configured(environ | changed).OAuthRefreshMixin.renamed_at == place
    assert "renamed_at" not in configured(environ).OAuthRefreshMixin


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("ldaps://ldap.example.org", 636, "on_connect"),
        ("ldap://ldap.example.org", 389, "before_bind"),
        ("ldap://ldap.example.org:1389", 1389, "before_bind"),
    ],
)
def test_no_password_goes_to_a_directory_in_the_clear(environ: dict[str, str], url: str, port: int, tls: str) -> None:
    c = configured(environ | {"AUTH_METHOD": "ldap", **LDAP, "AUTH_URL": url}).LdapAuthenticator
    assert (c.server_address, c.server_port, c.tls_strategy) == ("ldap.example.org", port, tls)
    assert c.tls_kwargs["validate"] == ssl.CERT_REQUIRED


def test_a_machine_without_people_is_told_how_to_lend_some(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.auth.pam.has_people", lambda: False)
    with pytest.raises(SettingsError, match=r"COMPOSE_FILE=compose.yml:compose.pam.yml"):
        configured(environ | {"AUTH_METHOD": "pam"})


DOCUMENT = {
    "issuer": "https://sso.example.org/main",
    "authorization_endpoint": "https://sso.example.org/main/authorize",
    "token_endpoint": "https://sso.example.org/main/token",
    "userinfo_endpoint": "https://sso.example.org/main/userinfo",
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"issuer": "https://evil.example"}, "it is the document of"),
        ({"token_endpoint": None}, "no token_endpoint"),
        ({"token_endpoint": "http://sso.example.org/token"}, "token_endpoint is not https"),
    ],
)
def test_a_discovery_document_that_cannot_be_trusted_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        provider_of({**DOCUMENT, **changed}, issuer="https://sso.example.org/main")


def test_the_secret_goes_where_the_provider_takes_it() -> None:
    issuer = DOCUMENT["issuer"]
    assert provider_of(DOCUMENT, issuer=issuer).basic_auth is True
    post = {**DOCUMENT, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert provider_of(post, issuer=issuer).basic_auth is False


def test_nothing_secret_is_in_what_python_prints_of_the_settings(environ: dict[str, str], tmp_path: Path) -> None:
    changed = {
        "AUTH_METHOD": "ldap",
        **LDAP,
        "AUTH_LDAP_SEARCH_USER": "cn=r",
        "AUTH_SECRET_FILE": str(tmp_path / "secret"),
    }
    assert "a secret" not in repr(read(environ | changed))
    assert "0f0f" not in repr(read(environ | changed))
