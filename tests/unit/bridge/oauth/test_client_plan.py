"""Plans and exports of clients, without the commands around them."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bridge.cli.client_file import as_toml
from bridge.errors import ClientCommandError
from bridge.oauth.client_plan import Plan, apply_plan, build_plan, export_entry, generate_secrets, read_entries
from bridge.oauth.client_store import ClientStore
from bridge.settings import ClientSettings
from bridge.store import Store, StoredClient
from tests.contract.records import NOW

WIKI = {"client_id": "wiki", "redirect_uris": ["https://wiki.example.org/cb"], "client_secret_hash": "generate"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ADDRESSES = st.sampled_from(["https://a.example.org/cb?y='", "http://127.0.0.1/cb", "org.example.app:/cb"])
HASHES = st.from_regex(r"(sha256:)?[0-9a-f]{64}", fullmatch=True)
ENTRIES = st.fixed_dictionaries(
    {"redirect_uris": st.lists(ADDRESSES, min_size=1, max_size=3)},
    optional={
        "client_name": TEXTS,
        "post_logout_redirect_uris": st.lists(ADDRESSES, max_size=2),
        "backchannel_logout_uri": ADDRESSES,
        "scopes": st.lists(st.sampled_from(["openid", "groups", "offline_access"]), max_size=3),
        "grant_types": st.lists(st.sampled_from(["authorization_code", "refresh_token"]), max_size=2),
        "require_pkce": st.booleans(),
        "consent": st.booleans(),
        "allowed_groups": st.lists(TEXTS, max_size=3),
        "allowed_attributes": st.dictionaries(TEXTS, st.lists(TEXTS, min_size=1, max_size=2), max_size=2),
        "claims": st.lists(st.sampled_from(["email", "groups"]), max_size=2),
        "access_token_lifetime_seconds": st.integers(60, 86400),
        "subject_type": st.sampled_from(["public", "pairwise"]),
        "sector_identifier": TEXTS,
        "client_secret_hash": HASHES,
        "former_secret_hash": HASHES,
        "disabled": st.booleans(),
    },
)


@pytest.fixture
def store(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'bridge.sqlite3')}")
    yield store
    store.close()


@pytest.fixture
def elsewhere(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'elsewhere.sqlite3')}")
    yield store
    store.close()


def commands(store: Store, *fixed: ClientSettings) -> ClientStore:
    return ClientStore(fixed, store, now=NOW)


def planned(store: Store, entries: Sequence[Mapping[str, Any]], *fixed: ClientSettings) -> Plan:
    return build_plan(read_entries(entries), commands(store, *fixed), prune=True)


def applied(store: Store, entries: Sequence[Mapping[str, Any]]) -> None:
    plan = planned(store, entries)
    apply_plan(plan, generate_secrets(plan), commands(store))


def exported(store: Store, *fixed: ClientSettings, with_hashes: bool) -> list[dict[str, Any]]:
    """Export to TOML and parse it."""
    managed = [client for client in commands(store, *fixed).all() if client.source == "managed"]
    entries = [export_entry(client, with_hashes=with_hashes) for client in managed]
    return list(tomllib.loads(as_toml([entry for entry in entries if entry is not None])).get("clients", []))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.from_regex(r"[!-~]{1,8}", fullmatch=True), ENTRIES, min_size=1, max_size=3))
def test_export_recreates_clients_and_changes_nothing_here(
    store: Store, elsewhere: Store, generated: dict[str, dict[str, Any]]
) -> None:
    entries = [{"client_id": client_id, **facts} for client_id, facts in generated.items()]
    try:
        applied(store, entries)
    except ClientCommandError:
        assume(False)
    applied(elsewhere, exported(store, with_hashes=True))
    assert list(elsewhere.clients.all()) == list(store.clients.all())
    for with_hashes in (True, False):
        assert planned(store, exported(store, with_hashes=with_hashes)).changes == ()


def test_export_applies_with_a_client_shadowed_by_settings(store: Store) -> None:
    applied(store, [WIKI])
    fixed = ClientSettings(client_id="wiki", redirect_uris=("https://other.example.org/cb",))
    export = exported(store, fixed, with_hashes=False)
    assert planned(store, export, fixed).changes == ()
    with pytest.raises(ClientCommandError, match="wiki is defined in the settings"):
        planned(store, [{**export[0], "consent": True}], fixed)


def test_plan_reads_clients_once_for_any_file_length(store: Store) -> None:
    class CountingStore:
        def __init__(self) -> None:
            self.reads = count()

        def __getattr__(self, name: str) -> Any:
            return getattr(store if name in ("grants", "sessions") else store.clients, name)

        @property
        def clients(self) -> CountingStore:
            return self

        def all(self) -> Sequence[StoredClient]:
            next(self.reads)
            return store.clients.all()

    def reads(length: int) -> int:
        counted = CountingStore()
        planned(cast(Store, counted), [{**WIKI, "client_id": f"wiki-{number}"} for number in range(length)])
        return next(counted.reads)

    assert reads(30) == reads(1)
