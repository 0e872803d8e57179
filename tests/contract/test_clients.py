"""The contract of `Clients`; `change_all` is one atomic change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.store import Store, StoreFailure
from tests.contract.records import NOW, allow, begin, client, redeem, works


def test_clients_version_grows_with_every_change(store: Store) -> None:
    versions = [store.clients.version()]
    for change in (
        lambda: store.clients.put(client(), now=NOW),
        lambda: store.clients.put(client(disabled=True), now=NOW),
        lambda: store.clients.remove("hub"),
    ):
        change()
        versions.append(store.clients.version())
    assert versions == sorted(set(versions))
    assert store.clients.version() == versions[-1]


def test_clients_are_listed_by_client_id(store: Store) -> None:
    for each in (client("portal"), client("hub"), client("hub", document="{}", disabled=True)):
        store.clients.put(each, now=NOW)
    assert list(store.clients.all()) == [client("hub", document="{}", disabled=True), client("portal")]


def test_client_is_removed_once(store: Store) -> None:
    store.clients.put(client(), now=NOW)
    assert [store.clients.remove("hub") for _ in range(2)] == [True, False]
    assert list(store.clients.all()) == []


def test_change_all_counts_as_one_change(store: Store) -> None:
    for name in ("old", "hub"):
        store.clients.put(client(name), now=NOW)
    seen = store.clients.version()
    assert (
        store.clients.change_all([client("hub", document="[]"), client("new")], ["old"], revoke=[], seen=seen, now=NOW)
        == 0
    )
    assert list(store.clients.all()) == [client("hub", document="[]"), client("new")]
    assert store.clients.version() == seen + 1


def test_change_all_revokes_grants_and_consents(store: Store) -> None:
    begin(store)
    allow(store, "hub", "code 1")
    allow(store, "portal", "code 2", client_id="portal")
    redeem(store, "code 1", gives="hub")
    redeem(store, "code 2", gives="portal")
    store.grants.add_consent("portal", "alice", "openid", now=NOW)
    seen = store.clients.version()
    assert store.clients.change_all([], ["portal"], revoke=["portal"], seen=seen, now=NOW + 2) == 1
    assert (works(store, "hub"), works(store, "portal")) == (True, False)
    assert store.grants.consented_scope("portal", "alice") == ""


def test_change_all_rejects_outdated_version(store: Store) -> None:
    seen = store.clients.version()
    store.clients.put(client("hub"), now=NOW)
    assert store.clients.change_all([client("new")], ["hub"], revoke=["hub"], seen=seen, now=NOW) is None
    assert list(store.clients.all()) == [client("hub")]
    assert store.clients.version() == seen + 1


def test_change_all_is_atomic(store: Store) -> None:
    store.clients.put(client("hub"), now=NOW)
    seen = store.clients.version()
    twice = [client("new"), client("new")]
    with pytest.raises(StoreFailure):
        store.clients.change_all(twice, ["hub"], revoke=[], seen=seen, now=NOW)
    assert list(store.clients.all()) == [client("hub")]
    assert store.clients.version() == seen


def test_one_concurrent_change_all_succeeds(database: str) -> None:
    stores = [Store(database) for _ in range(4)]
    seen = stores[0].clients.version()

    def change(number: int) -> int | None:
        wanted = [client(name, document=str(number)) for name in ("a", "b", "c")]
        return stores[number].clients.change_all(wanted, [], revoke=["a"], seen=seen, now=NOW)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(change, range(4)))
    assert sorted(results, key=str) == [0, None, None, None]
    assert len({each.document for each in stores[0].clients.all()}) == 1
    for each in stores:
        each.close()
