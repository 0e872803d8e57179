"""The store that every test here is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.store import Store


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Empty, on each database in turn."""
    store = Store(database)
    yield store
    store.close()
