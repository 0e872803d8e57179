"""Binding of hub accounts to provider accounts."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets import import_item
from traitlets.config import Config

from hub.auth.configure import AUTHENTICATORS
from hub.auth.oauth import IDENTITY, is_other_account

PROVIDER = "https://sso.example.org"


@pytest.mark.parametrize(
    ("method", "claims", "identity"),
    [
        ("bridge", {"sub": "1001", "preferred_username": "jdoe"}, [PROVIDER, "1001"]),
        ("oidc", {"sub": "7f-3", "preferred_username": "bob"}, [PROVIDER, "7f-3"]),
        ("gitlab", {"sub": "42", "id": 42, "preferred_username": "bob"}, [PROVIDER, "42"]),
        ("github", {"id": 42, "login": "bob"}, [PROVIDER, "42"]),
        ("github", {"login": "bob"}, None),
    ],
)
def test_permanent_id_is_stored(method: str, claims: dict[str, Any], identity: list[str] | None) -> None:
    config = Config()
    config.OAuthRefreshMixin.renaming_provider = PROVIDER
    authenticator: Any = import_item(AUTHENTICATORS[method])(config=config)
    state = authenticator.build_auth_state_dict({"access_token": "a", "scope": ""}, claims)
    assert state.get(IDENTITY) == identity


@pytest.mark.parametrize("method", ["bridge", "oidc"])
def test_no_id_is_stored_without_renaming(method: str) -> None:
    authenticator: Any = import_item(AUTHENTICATORS[method])(config=Config())
    assert IDENTITY not in authenticator.build_auth_state_dict({"access_token": "a", "scope": ""}, {"sub": "bob"})


@pytest.mark.parametrize(
    ("provider", "stored", "current", "other"),
    [
        (PROVIDER, {}, {IDENTITY: [PROVIDER, "1"]}, False),  # signed in before ids were stored
        (PROVIDER, {IDENTITY: [PROVIDER, "1"]}, {IDENTITY: [PROVIDER, "1"]}, False),
        (PROVIDER, {IDENTITY: [PROVIDER, "1"]}, {IDENTITY: [PROVIDER, "2"]}, True),
        (PROVIDER, {IDENTITY: [PROVIDER, "1"]}, {}, True),
        (PROVIDER, {IDENTITY: ["https://old.example.org", "1"]}, {IDENTITY: [PROVIDER, "2"]}, False),
        ("", {IDENTITY: [PROVIDER, "1"]}, {}, False),
    ],
)
def test_stored_id_distinguishes_accounts_of_one_provider(
    provider: str, stored: dict[str, Any], current: dict[str, Any], other: bool
) -> None:
    assert is_other_account(provider, stored, current) is other
