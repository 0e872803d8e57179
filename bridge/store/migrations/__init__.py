"""Brings the tables from whatever version they have to this one; each step is a file in `versions/`.

Run at every start. Several processes may start at once: one migrates, the others wait and find it done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import ConfigurationError
from bridge.store.schema import metadata

FOLDER = Path(__file__).parent
Age = Literal["empty", "older", "current"]
ADVISORY_LOCK = 0x50617373  # any number that no other program on the same database uses
_WRITABLE = "it must exist or be creatable, and be writable"
_BROKEN = "restore a backup; to begin with a new database, move it away"
# By SQLite's own words.
_REMEDIES = {
    "file is not a database": _BROKEN,
    "malformed": _BROKEN,
    "disk I/O error": "the disk fails or is full",
    "is full": "make room on its disk",
    "is locked": "another program is writing to it: wait until it is done, or end it",
}
# Alembic keeps the running migration in a module of its own, one a process.
_one_at_a_time = threading.Lock()


class ForeignTablesError(Exception):
    """There are tables of our names that no migration of ours made."""


def bring_up_to_date(engine: Engine, folder: Path = FOLDER) -> None:
    """Migrate.

    :raises ConfigurationError: when the database cannot be reached or written, is newer than this version, or has
        tables that are not ours
    """
    with as_click_error(engine), _one_at_a_time, engine.connect() as connection:
        if not _is_current(connection, folder):
            connection.rollback()
            _migrate(connection, folder)
        _check_writable(connection)


def age_of(engine: Engine, folder: Path = FOLDER) -> Age:
    """How the tables compare with this version's, found out without changing anything.

    :raises ConfigurationError: as `bring_up_to_date`
    """
    with as_click_error(engine), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory(str(folder))
        if found is None:
            _check_tables_are_ours(connection)
            return "empty"
        scripts.get_revision(found)  # an unknown one is a newer version's
        if found != scripts.get_current_head():
            return "older"
        _check_writable(connection)
    return "current"


def _check_writable(connection: Connection) -> None:
    """SQLite opens a read-only file without a word; something has to be written before it speaks."""
    connection.rollback()
    connection.exec_driver_sql("DELETE FROM signing_keys WHERE 0 = 1")
    connection.rollback()


@contextmanager
def as_click_error(engine: Engine) -> Iterator[None]:
    """What is wrong with a database, and what to do.

    :raises ConfigurationError: in place of alembic's and SQLAlchemy's errors
    """
    place = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except CommandError:
        fault = f"{place} was written by a newer version of Passerelle; install that one again, or restore a backup"
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"]) from None
    except ForeignTablesError as error:
        fault = (
            f"{place} has a table {error} that no release of Passerelle made (another program, or a version from "
            "before the first release); name an empty or new database"
        )
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"]) from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        remedy = "start it, or correct host, port, database, user and password"
        if engine.dialect.name == "sqlite":
            remedy = next((told for words, told in _REMEDIES.items() if words in reason), _WRITABLE)
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: cannot use {place}: {reason}; {remedy}"]) from None


def _is_current(connection: Connection, folder: Path) -> bool:
    context = MigrationContext.configure(connection)
    return context.get_current_revision() == ScriptDirectory(str(folder)).get_current_head()


def _migrate(connection: Connection, folder: Path) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        _upgrade(connection, config)
        return
    # To change a table, SQLite copies it and drops the old one, and with it what other tables have of its rows.
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    try:
        # sqlite3 begins transactions before INSERT and the like alone; the write lock has to be ours from the start.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _upgrade(connection, config)
    finally:
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _upgrade(connection: Connection, config: Config) -> None:
    _check_tables_are_ours(connection)
    command.upgrade(config, "head")
    connection.commit()


def _check_tables_are_ours(connection: Connection) -> None:
    """A database without a version must be without our tables: a half-fitting one would fail later, and worse."""
    if MigrationContext.configure(connection).get_current_revision() is None:
        for name in sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
            raise ForeignTablesError(name)
