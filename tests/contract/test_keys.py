"""The contract of `Keys`."""

from __future__ import annotations

from bridge.store import Store
from tests.contract.records import NOW, key


def test_key_is_added_after_newest_only(store: Store) -> None:
    assert list(store.keys.all()) == []
    assert store.keys.add(key("one"), after=None) is True
    assert store.keys.add(key("two"), after=None) is False
    assert store.keys.add(key("two"), after="one") is True
    assert store.keys.add(key("three"), after="one") is False
    assert store.keys.add(key("three"), after="unknown") is False
    assert list(store.keys.all()) == [key("two"), key("one")]


def test_keys_succeed_each_other_per_algorithm(store: Store) -> None:
    store.keys.add(key("one"), after=None)
    assert store.keys.add(key("curve", algorithm="ES256"), after="one") is False
    assert store.keys.add(key("curve", algorithm="ES256"), after=None) is True
    assert {each.kid for each in store.keys.all()} == {"one", "curve"}


def test_newest_key_comes_first_before_activation(store: Store) -> None:
    store.keys.add(key("one"), after=None)
    store.keys.add(key("later", active_from=NOW + 7200), after="one")
    store.keys.add(key("at once"), after="later")
    assert [each.kid for each in store.keys.all()] == ["at once", "later", "one"]


def test_key_is_added_after_remaining_keys(store: Store) -> None:
    for kid, after in {"one": None, "two": "one", "three": "two"}.items():
        store.keys.add(key(kid), after=after)
    store.keys.remove("two")
    store.keys.remove("unknown")
    assert [each.kid for each in store.keys.all()] == ["three", "one"]
    assert store.keys.add(key("four"), after="one") is False
    store.keys.remove("three")
    assert store.keys.add(key("four"), after="one") is True
    assert [each.kid for each in store.keys.all()] == ["four", "one"]
