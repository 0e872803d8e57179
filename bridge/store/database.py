"""Database connections, and helpers shared by all repositories of the store."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from bridge.errors import ConfigurationError

# How long to wait for the lock of SQLite: at a start, while another process migrates, and in a request. SQLite does not
# queue writers fairly, so one of many waits far longer than the average.
START_WAIT_SECONDS = 20
REQUEST_WAIT_SECONDS = 4
CONNECT_TIMEOUT_SECONDS = 5
MAX_WAL_BYTES = 8 * 1024 * 1024  # twice what SQLite aims at
CHECKPOINT_TRIES = 100
# Connections of a worker. SQLite has more than a worker has threads: a writer may need a second connection while all
# others wait for it with one. A PostgreSQL server allows 100 by default, for all workers: fewer threads compute at a
# time, so some connections remain for the second one.
SQLITE_POOL = {"pool_size": 16, "max_overflow": 24}
POSTGRES_POOL = {"pool_size": 16, "max_overflow": 4}
COMMAND_CONNECTIONS = 5
POSTGRES_CONNECTIONS = sum(POSTGRES_POOL.values())

# Lets other packages catch database errors without importing SQLAlchemy.
StoreFailure = SQLAlchemyError

NOW: BindParameter[int] = bindparam("now")
RecordT = TypeVar("RecordT")


def open_engine(url: str, *, read_only: bool = False, wait_seconds: int = START_WAIT_SECONDS) -> Engine:
    """Return an engine for an `sqlite:` or `postgresql:` URL, not connected yet.

    `read_only` leaves the journal mode of an SQLite file as it is. `wait_seconds` limits the wait for a lock of SQLite.
    A malformed URL raises ConfigurationError.
    """
    if url.startswith("sqlite:"):
        engine = _create(_parsed(url), **SQLITE_POOL)
        if not read_only:
            event.listen(engine, "connect", partial(_set_up_sqlite, wait_seconds))
        return engine
    driver_url = _parsed(re.sub(r"^postgresql:", "postgresql+psycopg:", url))
    return _create(
        driver_url.set(query={"connect_timeout": str(CONNECT_TIMEOUT_SECONDS), **driver_url.query}),
        # A server may default to a stricter level, which fails where this one waits.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=REQUEST_WAIT_SECONDS,
        **POSTGRES_POOL,
    )


def _create(url: URL, **options: Any) -> Engine:
    """Create an engine; report a driver that cannot be imported."""
    try:
        return create_engine(url, hide_parameters=True, **options)
    except (NoSuchModuleError, ImportError) as error:
        fault = (
            f"cannot import the driver of {url.drivername}: {str(error).splitlines()[0]}; install Passerelle again, in "
            "a folder that this user can read"
        )
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"]) from None


def required_connections(workers: int) -> int:
    """Return how many connections PostgreSQL must allow to one bridge and its commands."""
    return workers * POSTGRES_CONNECTIONS + COMMAND_CONNECTIONS


def unavailability(failure: SQLAlchemyError) -> str | None:
    """Return why the database cannot be used: down, full, read-only, locked or damaged; None for a defect of ours."""
    # A damaged file raises the base class, a read-only PostgreSQL an InternalError.
    if isinstance(failure, (OperationalError, InternalError, TimeoutError)) or type(failure) is DatabaseError:
        return str(getattr(failure, "orig", None) or type(failure).__name__).strip().partition("\n")[0]
    return None


def is_absent(engine: Engine) -> bool:
    """Return whether this SQLite file does not exist yet; raise OperationalError if it cannot be created either."""
    if engine.dialect.name != "sqlite" or not (name := engine.url.database) or name.startswith("file:"):
        return False
    file = Path(name)
    if file.exists():
        return False
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise OperationalError(None, None, PermissionError("unable to open or create the database file"))
    return True


def _parsed(url: str) -> URL:
    """Parse a URL; replace SQLAlchemy's error, because it quotes the password."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        fault = "PASSERELLE_DATABASE_URL: cannot be read as a URL; correct host, port and name, and write '@' as %40"
        raise ConfigurationError([fault]) from None


class SqlRepository:
    """Base class of the repositories, which share one engine.

    A transaction that writes must begin with a write. SQLite then waits for the lock; after a read it would fail.
    For PostgreSQL, every transaction locks in this order: sessions, codes, refresh tokens, grants.
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
    """Return the columns that are fields of a record class."""
    return [column for column in table.c if column.name in record.__slots__]  # type: ignore[attr-defined]


def values_of(record: Any) -> dict[str, Any]:
    """Return the fields of a record by name."""
    return {name: getattr(record, name) for name in record.__slots__}


def read_record(kind: Callable[..., RecordT], row: Row[Any], columns: Iterable[Column[Any]]) -> RecordT:
    """Build a record from the columns of its table in a row, which can have columns of other tables."""
    return kind(**{column.name: row._mapping[column] for column in columns})


def limit_wal(engine: Engine) -> None:
    """Empty a large write-ahead log of SQLite.

    SQLite does so by itself only in a moment without readers and writers, which a flood of requests leaves out.
    """
    if engine.dialect.name != "sqlite":
        return
    with suppress(OSError):  # no log yet
        if Path(f"{engine.url.database}-wal").stat().st_size > MAX_WAL_BYTES:
            with engine.connect() as connection:
                for _ in range(CHECKPOINT_TRIES):
                    # Fails at once while another connection makes a checkpoint, as each commit tries to.
                    if not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
                        return
                    time.sleep(0.001)


def _set_up_sqlite(wait_seconds: int, connection: Any, _record: Any) -> None:
    """Set up WAL, so that readers continue while one connection writes.

    With `synchronous = NORMAL`, commits survive the death of the process. A power cut may lose the last commits, but
    does not corrupt the database.
    """
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {wait_seconds * 1000}")
        _switch_to_wal(cursor, wait_seconds)
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()  # SQLAlchemy would leave it open
        raise
    cursor.close()


def _switch_to_wal(cursor: Any, wait_seconds: int) -> None:
    """Retry until it works, because `busy_timeout` does not cover changes of `journal_mode`."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
