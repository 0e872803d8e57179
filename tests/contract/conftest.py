"""The store that every test here is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.store import SqlStore


@pytest.fixture
def store(database: str) -> Iterator[SqlStore]:
    """Empty, on each database in turn."""
    store = SqlStore(database)
    yield store
    store.close()
