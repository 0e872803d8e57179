"""Brings the tables from whatever version they have to this one; each step is a file in `versions/`.

Run at every start. Several processes may start at once: one migrates, the others wait and find it done.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import ConfigurationError

FOLDER = Path(__file__).parent
ADVISORY_LOCK = 0x50617373  # any number that no other program on the same database uses


def bring_up_to_date(engine: Engine) -> None:
    """Migrate.

    :raises ConfigurationError: when the database cannot be reached or written, or is newer than this version
    """
    place = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            if not _is_current(connection):
                connection.rollback()
                _migrate(connection)
            # SQLite opens a read-only file without a word; something has to be written before it speaks.
            connection.rollback()
            connection.exec_driver_sql("DELETE FROM signing_keys WHERE 0 = 1")
    except CommandError:
        fault = f"{place} was written by a newer version of Passerelle; install that one again, or restore a backup"
        raise ConfigurationError([f"PASSERELLE_DATABASE_URL: {fault}"]) from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        raise ConfigurationError(
            [f"PASSERELLE_DATABASE_URL: cannot use {place}: {reason}; it must exist or be creatable, and be writable"]
        ) from None


def _is_current(connection: Connection) -> bool:
    context = MigrationContext.configure(connection)
    return context.get_current_revision() == ScriptDirectory(str(FOLDER)).get_current_head()


def _migrate(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER))
    if connection.dialect.name == "sqlite":
        # sqlite3 begins transactions before INSERT and the like alone; the write lock has to be ours from the start.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    command.upgrade(config, "head")
    connection.commit()
