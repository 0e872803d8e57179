"""Database migrations, one file per step in `versions/`.

They run at every start. If several processes start at once, one migrates and the others wait.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import ConfigurationError
from bridge.store.schema import metadata

FOLDER = Path(__file__).parent
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
# Alembic keeps the running migration in module state, so one per process.
_one_at_a_time = threading.Lock()


@cache
def read_migrations(folder: Path) -> ScriptDirectory:
    """Import the migrations, once; `migrate` then reads no file of the program."""
    scripts = ScriptDirectory(str(folder))
    list(scripts.walk_revisions())
    return scripts


def migrate(engine: Engine, folder: Path = FOLDER) -> None:
    """Migrate the database to this version; raise ConfigurationError if the database cannot be used."""
    with as_config_error(engine), _one_at_a_time, engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        scripts = read_migrations(folder)
        if current != scripts.get_current_head():
            connection.rollback()
            _run(connection, scripts)
        _check_writable(connection)


def schema_state(engine: Engine, folder: Path = FOLDER) -> Literal["empty", "older", "current"]:
    """Compare the tables with this version's without changes; raise ConfigurationError as `migrate` does."""
    with as_config_error(engine), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        scripts = read_migrations(folder)
        if found is None:
            _check_tables_are_ours(connection)
            return "empty"
        scripts.get_revision(found)  # raises for a revision of a newer version
        if found != scripts.get_current_head():
            return "older"
        _check_writable(connection)
    return "current"


def _check_writable(connection: Connection) -> None:
    """Try a write, because SQLite opens a read-only file without an error."""
    connection.rollback()
    connection.exec_driver_sql("DELETE FROM signing_keys WHERE 0 = 1")
    connection.rollback()


@contextmanager
def as_config_error(engine: Engine) -> Iterator[None]:
    """Raise Alembic's and SQLAlchemy's errors as a ConfigurationError that says what to do; close the engine then."""
    url = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except ConfigurationError:
        engine.dispose()
        raise
    except CommandError:
        engine.dispose()
        fault = f"{url} was written by a newer version of Passerelle; install that version again, or restore a backup"
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"]) from None
    except SQLAlchemyError as error:
        engine.dispose()
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        remedy = "start it, or correct host, port, database, user and password"
        if engine.dialect.name == "sqlite":
            remedy = next((remedy for words, remedy in _REMEDIES.items() if words in reason), _WRITABLE)
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: cannot use {url}: {reason}; {remedy}"]) from None


def alembic_config(connection: Connection, folder: Path) -> Config:
    """Return the configuration of Alembic for one connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _run(connection: Connection, scripts: ScriptDirectory) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        # Alembic changes an SQLite table by copying and dropping it, which would cascade to the rows that refer to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    try:
        # sqlite3 starts a transaction at the first INSERT only; this takes the write lock at once.
        lock = "BEGIN IMMEDIATE" if is_sqlite else f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
        connection.exec_driver_sql(lock)
        _check_tables_are_ours(connection)
        # As Alembic documents it; `command.upgrade` would read the files again.
        with EnvironmentContext(Config(), scripts, fn=lambda found, _: scripts._upgrade_revs("head", found)) as steps:
            steps.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
            steps.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _check_tables_are_ours(connection: Connection) -> None:
    """Reject a database without a revision that has tables of our names."""
    if MigrationContext.configure(connection).get_current_revision() is None:
        for name in sorted(set(inspect(connection).get_table_names()) & set(metadata.tables)):
            url = connection.engine.url.render_as_string(hide_password=True)
            fault = (
                f"{url} has a table {name} that no release of Passerelle created (it belongs to another program or to "
                "a version before the first release); use an empty or new database"
            )
            raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"])
