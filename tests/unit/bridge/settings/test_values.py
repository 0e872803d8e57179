"""Invalid values of settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.settings import ClientSettings
from tests.unit.bridge.settings.test_settings import HUB, faults, loaded


@pytest.mark.parametrize(
    "issuer",
    [
        "https://auth.example.org",
        "https://auth.example.org:8443",
        "https://www.example.org/sign-in",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "http://localhost",
        "http://auth.localhost:8080",
    ],
)
def test_issuer_is_kept_exactly_row40(issuer: str) -> None:
    assert loaded(issuer=issuer).issuer == issuer
    assert loaded(issuer=issuer).is_https is issuer.startswith("https")


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("https://auth.example.org/", "must not end in '/': write https://auth.example.org"),
        ("http://auth.example.org", "must be https"),
        ("http://127.0.0.1.evil.example", "must be https"),
        ("http://localhost.evil.example", "must be https"),
        ("auth.example.org", "must be a URL like"),
        ("ftp://auth.example.org", "must be a URL like"),
        ("https://", "must be a URL like"),
        ("https://:8443", "must be a URL like"),
        ("https://auth.example.org?x", "must not have"),
        ("https://auth.example.org?", "must not have"),
        ("https://auth.example.org#x", "must not have"),
        ("https://auth.example.org/x#", "must not have"),
        ("https://me@auth.example.org", "must not have"),
        ("https://auth.example.org:99999", "is not a URL"),
        ("https://auth.example.org:port", "is not a URL"),
        ("https://auth.example.org:0", "must be a URL like"),
        ("https://[::1", "is not a URL"),
        ("https://äuth.example.org", "character"),
        ("https://auth.example.org/a b", "character"),
        ('https://auth.example.org/"', "character"),
    ],
)
def test_invalid_issuer_is_reported(issuer: str, says: str) -> None:
    (fault,) = faults(issuer=issuer)
    assert fault.startswith("PASSERELLE_ISSUER: ")
    assert says in fault


def test_cas_url_may_be_http_and_end_in_slash() -> None:
    settings = loaded(cas_url="https://sso.example.org/cas/", cas_internal_url="http://cas:8080/cas/")
    assert (settings.cas_url, settings.cas_internal_url) == ("https://sso.example.org/cas", "http://cas:8080/cas")


@pytest.mark.parametrize("name", ["cas_url", "cas_internal_url"])
@pytest.mark.parametrize("url", ["sso.example.org", "https://sso.example.org/cas?x=1", "https://me@sso.example.org"])
def test_invalid_cas_url_is_reported(name: str, url: str) -> None:
    (fault,) = faults({f"PASSERELLE_{name.upper()}": url})
    assert fault.startswith(f"PASSERELLE_{name.upper()}: must")


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000", "::1:8000", "localhost:1", "127.0.0.1:65535"])
def test_valid_bind_addresses(bind: str) -> None:
    settings = loaded(bind=bind)
    assert f"{settings.bind_host}:{settings.bind_port}" == bind.replace("[", "").replace("]", "")


@pytest.mark.parametrize(
    "bind", ["8000", ":8000", "127.0.0.1", "127.0.0.1:", "a:0", "a:65536", "a:-1", "a:http", "a:1.5"]
)
def test_invalid_bind_is_reported(bind: str) -> None:
    (fault,) = faults(bind=bind)
    assert fault.startswith("PASSERELLE_BIND: must be host:port")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:",
        "postgresql://",
        "postgresql+asyncpg://db/x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "/data/bridge.sqlite3",
        "mysql:///x",
    ],
)
def test_database_must_be_sqlite_file_or_postgresql(url: str) -> None:
    (fault,) = faults(database_url=url)
    assert fault.startswith("PASSERELLE_DATABASE_URL: must be ")


def test_short_secret_key_is_reported() -> None:
    (fault,) = faults(secret_key="short")
    assert "openssl rand -hex 32" in fault


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("workers", "0"),
        ("workers", "65"),
        ("workers", "two"),
        ("workers", "1.5"),
        ("session_lifetime_seconds", "59"),
        ("session_lifetime_seconds", "99999999"),
        ("access_token_lifetime_seconds", "0"),
        ("access_token_lifetime_seconds", "864000"),  # row 74
        ("email_verified", "perhaps"),
        ("log_level", "loud"),
        ("attributes", "[]"),
        ("attributes", '{"sub": ["uid"]}'),
        ("attributes", '{"groups": "memberOf"}'),
        ("attributes", "{"),
    ],
)
def test_out_of_range_values_are_reported(name: str, wrong: str) -> None:
    said = faults({f"PASSERELLE_{name.upper()}": wrong})
    assert all(fault.startswith(f"PASSERELLE_{name.upper()}") for fault in said)


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError):
        loaded().issuer = "https://evil.example"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "two words"}, "client_id"),
        ({"client_id": "hüb"}, "client_id"),
        ({"client_id": "h" * 256}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": "  "}, "client_secret"),
        ({"client_secret_hash": "0" * 64}, "both set: keep one"),
        ({"client_secret": None, "client_secret_hash": "md5:0"}, "client_secret_hash"),
        ({"client_secret": None, "client_secret_hash": "sha256:" + "0" * 63}, "client_secret_hash"),
        ({"client_secret": None, "require_pkce": False}, "requires a client secret"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": "https://hub.example.org/cb"}, "redirect_uris"),
        ({"redirect_uris": ["http://hub.example.org/cb"]}, "is plain http: use https"),
        ({"post_logout_redirect_uris": ["javascript:alert(1)"]}, "needs https"),
        ({"scopes": ["openid", "everything"]}, "everything: unknown scope"),
        ({"grant_types": ["password"]}, "password: unknown grant type"),
        ({"consent": "perhaps"}, "consent"),
        ({"logo": "x"}, "logo"),
    ],
)
def test_invalid_client_is_reported_with_field(changes: dict[str, Any], says: str) -> None:
    entry = {name: value for name, value in {**HUB, **changes}.items() if value is not None}
    said = faults(clients=json.dumps([entry]))
    assert any(says in fault for fault in said)
    assert all(fault.startswith("PASSERELLE_CLIENTS") for fault in said)


def test_duplicate_client_id_is_reported() -> None:
    assert "duplicate client_id: hub" in faults(clients=json.dumps([HUB, HUB]))[0]


def test_reserved_setting_names_are_accepted() -> None:
    client = ClientSettings.model_validate(
        {
            **HUB,
            "scopes": ["openid", "offline_access", "eduperson"],
            "grant_types": ["authorization_code", "refresh_token"],
            "post_logout_redirect_uris": ["https://hub.example.org/bye"],
            "backchannel_logout_uri": "https://hub.example.org/logout",
        }
    )
    assert client.require_pkce is True
