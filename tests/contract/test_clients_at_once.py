"""`Clients.change_all`: many changes are one, for whoever reads, and for whoever changes something else meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.store import SqlStore, Store, StoredClient, StoreFailure
from tests.contract.records import NOW, allow, begin, redeem, works


def client(name: str, document: str = "{}") -> StoredClient:
    return StoredClient(client_id=name, document=document, disabled=False)


def test_all_of_it_is_done_and_counted_as_one_change(store: Store) -> None:
    for name in ("old", "hub"):
        store.clients.put(client(name), now=NOW)
    seen = store.clients.version()
    assert store.clients.change_all([client("hub", "[]"), client("new")], ["old"], revoke=[], seen=seen, now=NOW) == 0
    assert list(store.clients.all()) == [client("hub", "[]"), client("new")]
    assert store.clients.version() == seen + 1


def test_what_the_named_clients_hold_is_taken_back_with_it(store: Store) -> None:
    begin(store)
    allow(store, "hub", "code 1")
    allow(store, "portal", "code 2", client_id="portal")
    redeem(store, "code 1", gives="hub")
    redeem(store, "code 2", gives="portal")
    store.grants.remember_consent("portal", "alice", "openid", now=NOW)
    seen = store.clients.version()
    assert store.clients.change_all([], ["portal"], revoke=["portal"], seen=seen, now=NOW + 2) == 1
    assert (works(store, "hub"), works(store, "portal")) == (True, False)
    assert store.grants.consented_scope("portal", "alice") == ""


def test_nothing_is_done_when_anything_was_changed_since(store: Store) -> None:
    seen = store.clients.version()
    store.clients.put(client("hub"), now=NOW)
    assert store.clients.change_all([client("new")], ["hub"], revoke=["hub"], seen=seen, now=NOW) is None
    assert list(store.clients.all()) == [client("hub")]
    assert store.clients.version() == seen + 1


def test_what_fails_in_the_middle_leaves_everything_as_it_was(store: Store) -> None:
    store.clients.put(client("hub"), now=NOW)
    seen = store.clients.version()
    twice = [client("new"), client("new")]
    with pytest.raises(StoreFailure):
        store.clients.change_all(twice, ["hub"], revoke=[], seen=seen, now=NOW)
    assert list(store.clients.all()) == [client("hub")]
    assert store.clients.version() == seen


def test_of_many_at_once_one_is_done(database: str) -> None:
    stores = [SqlStore(database) for _ in range(4)]
    seen = stores[0].clients.version()

    def change(number: int) -> int | None:
        wanted = [client(name, str(number)) for name in ("a", "b", "c")]
        return stores[number].clients.change_all(wanted, [], revoke=["a"], seen=seen, now=NOW)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(change, range(4)))
    assert sorted(results, key=str) == [0, None, None, None]
    assert len({each.document for each in stores[0].clients.all()}) == 1
    for each in stores:
        each.close()
