"""Whom an account belongs to, where people can change their names."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets import import_item
from traitlets.config import Config

from hub.auth.account_binding import IDENTITY, is_another
from hub.auth.configure import CLASSES

PLACE = "https://sso.example.org"


@pytest.mark.parametrize(
    ("kind", "facts", "kept"),
    [
        ("oidc", {"sub": "7f-3", "preferred_username": "bob"}, [PLACE, "7f-3"]),
        ("gitlab", {"sub": "42", "id": 42, "preferred_username": "bob"}, [PLACE, "42"]),
        ("github", {"id": 42, "login": "bob"}, [PLACE, "42"]),
        ("github", {"login": "bob"}, None),
    ],
)
def test_what_never_changes_about_a_person_is_kept(kind: str, facts: dict[str, Any], kept: list[str] | None) -> None:
    config = Config()
    config.OAuthRefreshMixin.renamed_at = PLACE
    authenticator: Any = import_item(CLASSES[kind])(config=config)
    state = authenticator.build_auth_state_dict({"access_token": "a", "scope": ""}, facts)
    assert state.get(IDENTITY) == kept


@pytest.mark.parametrize("kind", ["bridge", "oidc"])
def test_where_names_are_given_out_nothing_is(kind: str) -> None:
    authenticator: Any = import_item(CLASSES[kind])(config=Config())
    assert IDENTITY not in authenticator.build_auth_state_dict({"access_token": "a", "scope": ""}, {"sub": "bob"})


@pytest.mark.parametrize(
    ("place", "kept", "now", "another"),
    [
        (PLACE, {}, {IDENTITY: [PLACE, "1"]}, False),  # signed in before anything was kept
        (PLACE, {IDENTITY: [PLACE, "1"]}, {IDENTITY: [PLACE, "1"]}, False),
        (PLACE, {IDENTITY: [PLACE, "1"]}, {IDENTITY: [PLACE, "2"]}, True),
        (PLACE, {IDENTITY: [PLACE, "1"]}, {}, True),
        (PLACE, {IDENTITY: ["https://old.example.org", "1"]}, {IDENTITY: [PLACE, "2"]}, False),
        ("", {IDENTITY: [PLACE, "1"]}, {}, False),
    ],
)
def test_two_people_are_told_apart_by_what_was_kept_of_this_provider(
    place: str, kept: dict[str, Any], now: dict[str, Any], another: bool
) -> None:
    assert is_another(place, kept, now) is another
