"""The connection to the database, and the few steps that every part of the store takes on it."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BindParameter,
    Column,
    Engine,
    Executable,
    Row,
    Table,
    bindparam,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from bridge.errors import ConfigurationError

# SQLite's queue of writers is not a fair one: the unluckiest of many waits far longer than the average.
BUSY_TIMEOUT_SECONDS = 20
CONNECT_TIMEOUT_SECONDS = 5
POOL_SIZE = 16  # as many as a worker has threads

# For those who want to say in one sentence that the database failed, without knowing what it is made of.
StoreFailure = SQLAlchemyError

NOW: BindParameter[int] = bindparam("now")


def open_engine(url: str, *, as_it_is: bool = False) -> Engine:
    """An engine for this URL; nothing is connected yet.

    :param as_it_is: leave an SQLite file in the mode that it has, for those who only look
    :raises ConfigurationError: when it is none
    """
    if url.startswith("sqlite:"):
        engine = create_engine(_parsed(url), pool_size=POOL_SIZE, hide_parameters=True)
        if not as_it_is:
            event.listen(engine, "connect", _set_up_sqlite)
        return engine
    driver_url = _parsed(re.sub(r"^postgresql:", "postgresql+psycopg:", url))
    return create_engine(
        driver_url.set(query={"connect_timeout": str(CONNECT_TIMEOUT_SECONDS), **driver_url.query}),
        # Named, because a server may have another default, and a stricter level fails where this one waits.
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def is_absent(engine: Engine) -> bool:
    """Whether this is an SQLite file that does not exist yet, but could be made.

    :raises OperationalError: when it could not
    """
    if engine.dialect.name != "sqlite" or not (name := engine.url.database) or name.startswith("file:"):
        return False
    file = Path(name)
    if file.exists():
        return False
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise OperationalError(None, None, PermissionError("unable to open or make the database file"))
    return True


def _parsed(url: str) -> URL:
    """Without its own words in the error, which quote the password."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        fault = "PASSERELLE_DATABASE_URL: cannot be read as a URL; correct host, port and name, and write '@' as %40"
        raise ConfigurationError([fault]) from None


class SqlRepository:
    """One part of the store: statements of its own, the engine of all.

    A transaction that writes begins with a write: SQLite then lets it wait for its turn, while one that has read
    before could only be refused. For PostgreSQL, all lock in this order: sessions, codes, refresh tokens, grants.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _execute(self, statement: Executable, values: Mapping[str, Any]) -> int:
        with self._engine.begin() as connection:
            return int(connection.execute(statement, values).rowcount)

    def _one(self, statement: Executable, values: Mapping[str, Any]) -> Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).one_or_none()

    def _all(self, statement: Executable, values: Mapping[str, Any]) -> list[Row[Any]]:
        with self._engine.connect() as connection:
            return list(connection.execute(statement, values))


def columns_of(table: Table, record: type) -> list[Column[Any]]:
    """The columns that a record has, in the table's order."""
    return [column for column in table.c if column.name in record.__slots__]  # type: ignore[attr-defined]


def values_of(record: Any) -> dict[str, Any]:
    """A record as the values of its row."""
    return {name: getattr(record, name) for name in record.__slots__}


def labelled(columns: Iterable[Column[Any]], prefix: str) -> list[Any]:
    """Columns of a joined table, told apart by a prefix."""
    return [column.label(f"{prefix}{column.name}") for column in columns]


def of_prefix(row: Row[Any], columns: Iterable[Column[Any]], prefix: str) -> dict[str, Any]:
    """Their values, as the record knows them."""
    return {column.name: row._mapping[f"{prefix}{column.name}"] for column in columns}


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while one writes.

    With synchronous = NORMAL a commit is in the operating system's hands when it returns, so whatever kills the
    process loses nothing; a power cut may lose the last moments before it, but never leaves a broken database.
    """
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """By hand until it works: of several that switch a new database at once, SQLite lets the losers fail unheard."""
    give_up = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
