"""`ClientStore`: concurrent commands that change the same client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from bridge.errors import ClientCommandError
from bridge.oauth.client_store import ClientStore
from bridge.oauth.clients import hash_secret
from bridge.store import Store, StoredClient
from tests.contract.records import NOW

FACTS = {"client_id": "wiki", "client_name": "Wiki", "redirect_uris": ("https://wiki.example.org/cb",)}


class InterruptedStore:
    """A store that runs another change once, between the first read and the write based on it."""

    def __init__(self, store: Store, change: Callable[[], object]) -> None:
        self._store, self._changes = store, [change]

    @property
    def clients(self) -> InterruptedStore:
        return self

    def all(self) -> Sequence[StoredClient]:
        found = self._store.clients.all()
        while self._changes:
            self._changes.pop()()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store if name in ("grants", "sessions") else self._store.clients, name)


def commands(store: Store) -> ClientStore:
    return ClientStore([], store, now=NOW)


def interrupted(store: Store, change: Callable[[], object]) -> ClientStore:
    return commands(cast(Store, InterruptedStore(store, change)))


def test_concurrent_edit_keeps_client_disabled(store: Store) -> None:
    commands(store).add(FACTS, public=False)
    interrupted(store, lambda: commands(store).disable("wiki")).edit("wiki", {"client_name": "New"})
    found = commands(store).find("wiki")
    assert found.disabled
    assert found.settings is not None
    assert found.settings.client_name == "New"


def test_concurrent_edit_keeps_new_secret(store: Store) -> None:
    commands(store).add(FACTS, public=False)
    secrets: list[str] = []
    there = commands(store)
    interrupted(store, lambda: secrets.append(there.rotate_secret("wiki", keep_old=False))).edit(
        "wiki", {"consent": True}
    )
    settings = commands(store).find("wiki").settings
    assert settings is not None
    assert settings.client_secret_hash == f"sha256:{hash_secret(secrets[0])}"
    assert settings.consent


def test_concurrent_edit_keeps_client_removed(store: Store) -> None:
    commands(store).add(FACTS, public=False)
    with pytest.raises(ClientCommandError, match="There is no client 'wiki'"):
        interrupted(store, lambda: commands(store).remove("wiki")).edit("wiki", {"consent": True})
    assert commands(store).all() == []


def test_concurrent_rotations_keep_both_secrets(store: Store) -> None:
    commands(store).add(FACTS, public=False)
    secrets: list[str] = []
    there = commands(store)
    mine = interrupted(store, lambda: secrets.append(there.rotate_secret("wiki", keep_old=False)))
    secrets.append(mine.rotate_secret("wiki", keep_old=True))
    settings = commands(store).find("wiki").settings
    assert settings is not None
    known = [settings.former_secret_hash, settings.client_secret_hash]
    assert known == [f"sha256:{hash_secret(secret)}" for secret in secrets]


def test_concurrent_add_rejects_used_client_id(store: Store) -> None:
    other = {**FACTS, "redirect_uris": ("https://other.example.org/cb",)}
    with pytest.raises(ClientCommandError, match="There is a client wiki already"):
        interrupted(store, lambda: commands(store).add(FACTS, public=False)).add(other, public=True)
    settings = commands(store).find("wiki").settings
    assert settings is not None
    assert settings.redirect_uris == FACTS["redirect_uris"]


def test_concurrent_edits_are_all_applied(database: str) -> None:
    stores = [Store(database) for _ in range(8)]

    def add(number: int) -> bool:
        try:
            commands(stores[number]).add(FACTS, public=False)
        except ClientCommandError:
            return False
        return True

    def edit(number: int) -> None:
        facts = ({"consent": True}, {"client_name": "New"}, {"allowed_groups": ("staff",)}, {"require_pkce": False})
        commands(stores[number]).edit("wiki", facts[number])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]
        list(pool.map(edit, range(4)))
    settings = commands(stores[0]).find("wiki").settings
    assert settings is not None
    assert (settings.consent, settings.client_name, settings.require_pkce) == (True, "New", False)
    assert settings.allowed_groups == ("staff",)
    for each in stores:
        each.close()
