"""The connection to the database, and the few steps that every part of the store takes on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BindParameter, Column, Engine, Executable, Row, Table, bindparam, create_engine, event

BUSY_TIMEOUT_SECONDS = 5
POOL_SIZE = 16  # as many as a worker has threads

NOW: BindParameter[int] = bindparam("now")


def open_engine(url: str) -> Engine:
    """An engine for this URL; nothing is connected yet."""
    if url.startswith("sqlite:"):
        engine = create_engine(url, pool_size=POOL_SIZE, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    driver_url = re.sub(r"^postgresql:", "postgresql+psycopg:", url)
    return create_engine(driver_url, pool_size=POOL_SIZE, pool_pre_ping=True, hide_parameters=True)


class Part:
    """One part of the store: statements of its own, the engine of all."""

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
    """WAL lets readers go on while one writes; NORMAL then syncs at checkpoints, which a crash survives."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
