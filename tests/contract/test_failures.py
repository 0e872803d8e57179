"""The contract of `Failures`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bridge.store import Store
from tests.contract.records import NOW

MINUTE = NOW - NOW % 60


def test_failures_of_a_minute_are_counted(store: Store) -> None:
    assert store.failures.record(["a", "b"], now=MINUTE) == {"a": 1, "b": 1}
    assert store.failures.record(["a"], now=MINUTE + 59) == {"a": 2}
    assert store.failures.count("a", "b", now=MINUTE + 59) == {"a": 2, "b": 1}
    assert store.failures.count("a", "c", now=MINUTE + 59) == {"a": 2}


def test_next_minute_begins_with_none(store: Store) -> None:
    store.failures.record(["a"], now=MINUTE + 59)
    assert store.failures.count("a", now=MINUTE + 60) == {}
    assert store.failures.record(["a"], now=MINUTE + 60) == {"a": 1}


def test_concurrent_failures_are_all_counted(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda keys: store.failures.record(keys, now=MINUTE), [["a", "b"], ["b", "a"]] * 20))
    assert store.failures.count("a", "b", now=MINUTE) == {"a": 40, "b": 40}


def test_failures_are_purged_after_their_minute(store: Store) -> None:
    store.failures.record(["a"], now=MINUTE)
    assert store.purge(now=MINUTE + 59)["failures"] == 0
    assert store.purge(now=MINUTE + 60)["failures"] == 1
