"""The databases that a store has to work on: whatever asks for one of these fixtures runs once on each.

`tests/conftest.py` makes them known to every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.store import SqlStore
from tests.support.bridge.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server; ask for it in tests that are marked `needs("postgres")` alone."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> str:
    """A migrated database, copied for each test: that is quicker than migrating."""
    name = postgres.create_database()
    SqlStore(postgres.url(name)).close()
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.sqlite3"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create_database())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with all tables and nothing in them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/bridge.sqlite3"
        SqlStore(url).close()
        return url
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.create_database(template=request.getfixturevalue("template")))
