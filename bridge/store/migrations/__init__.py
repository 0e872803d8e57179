"""Database migrations, one file per step in `versions/`.

Every start compares the revision of the database with the files, and imports Alembic only if there is a migration to
run. If several processes start at once, one migrates and the others wait. A file begins with its revision: `0001_….py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, column, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import ConfigurationError
from bridge.store.schema import metadata

FOLDER = Path(__file__).parent
ALEMBIC_VERSION = table("alembic_version", column("version_num"))
ADVISORY_LOCK = 0x50617373  # arbitrary; other programs on the database use others
_WRITABLE = "it must exist or be creatable, and be writable"
_BROKEN = "restore a backup; to start with a new database, move it away"
# Keyed by SQLite's messages.
_REMEDIES = {
    "file is not a database": _BROKEN,
    "malformed": _BROKEN,
    "disk I/O error": "the disk is failing or full",
    "is full": "free space on its disk",
    "is locked": "another program is writing to it; wait until it has finished, or stop it",
}


@cache
def revisions(folder: Path) -> Sequence[str]:
    """Return the revisions of this version in their order; the last one is the current schema."""
    return sorted(file.stem.partition("_")[0] for file in (folder / "versions").glob("[!_]*.py"))


def preload_migrations() -> None:
    """Import what `migrate` needs, so that it reads no file of the program."""
    from bridge.store.migrations.alembic_run import read_migrations  # noqa: PLC0415  loads Alembic

    revisions(FOLDER)
    read_migrations(FOLDER)


def migrate(engine: Engine, folder: Path = FOLDER) -> None:
    """Migrate the database to this version; raise ConfigurationError if the database cannot be used."""
    with as_config_error(engine), engine.connect() as connection:
        if not _is_current(connection, folder):
            connection.rollback()
            _run(connection, folder)
        _check_writable(connection)


def schema_state(engine: Engine, folder: Path = FOLDER) -> Literal["empty", "older", "current"]:
    """Compare the tables with this version's without changes; raise ConfigurationError as `migrate` does."""
    with as_config_error(engine), engine.connect() as connection:
        if _revision(connection) is None:
            _check_tables_are_ours(connection)
            return "empty"
        if not _is_current(connection, folder):
            return "older"
        _check_writable(connection)
    return "current"


def _revision(connection: Connection) -> str | None:
    """Return the revision of the database, which Alembic stores; None without one."""
    if not inspect(connection).has_table(ALEMBIC_VERSION.name):
        return None
    return connection.execute(select(ALEMBIC_VERSION.c.version_num)).scalar_one_or_none()


def _is_current(connection: Connection, folder: Path) -> bool:
    """Return whether no migration is missing; raise ConfigurationError for a revision of a newer version."""
    found, known = _revision(connection), revisions(folder)
    if found is not None and found not in known:
        url = connection.engine.url.render_as_string(hide_password=True)
        fault = f"{url} was written by a newer version of Passerelle; install that version again, or restore a backup"
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"])
    return found == known[-1]


def _check_writable(connection: Connection) -> None:
    """Try a write, because SQLite opens a read-only file without an error."""
    connection.rollback()
    connection.exec_driver_sql("DELETE FROM signing_keys WHERE 0 = 1")
    connection.rollback()


@contextmanager
def as_config_error(engine: Engine) -> Iterator[None]:
    """Raise SQLAlchemy's errors as a ConfigurationError that says what to do; close the engine then."""
    url = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except ConfigurationError:
        engine.dispose()
        raise
    except SQLAlchemyError as error:
        engine.dispose()
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        remedy = "start it, or correct host, port, database, user and password"
        if engine.dialect.name == "sqlite":
            remedy = next((remedy for words, remedy in _REMEDIES.items() if words in reason), _WRITABLE)
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: cannot use {url}: {reason}; {remedy}"]) from None


def _run(connection: Connection, folder: Path) -> None:
    from bridge.store.migrations.alembic_run import upgrade  # noqa: PLC0415  loads Alembic

    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        # Alembic changes an SQLite table by copying and dropping it, which would cascade to the rows that refer to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    try:
        # sqlite3 starts a transaction at the first INSERT only; this takes the write lock at once.
        lock = "BEGIN IMMEDIATE" if is_sqlite else f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
        connection.exec_driver_sql(lock)
        _check_tables_are_ours(connection)
        if not _is_current(connection, folder):  # nor migrated by another process meanwhile
            upgrade(connection, folder)
        connection.commit()
    finally:
        connection.rollback()
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _check_tables_are_ours(connection: Connection) -> None:
    """Reject a database without a revision that has tables of our names."""
    if _revision(connection) is None:
        for name in sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
            url = connection.engine.url.render_as_string(hide_password=True)
            fault = (
                f"{url} has a table {name} that no release of Passerelle created (it belongs to another program or to "
                "a version before the first release); use an empty or new database"
            )
            raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"])
