"""Execution of migrations by Alembic, in its own module because importing Alembic takes long."""

import threading
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bridge.store.schema import metadata

# Alembic keeps the running migration in module state, so one per process.
_one_at_a_time = threading.Lock()


@cache
def read_migrations(folder: Path) -> ScriptDirectory:
    """Import the migrations, once; `upgrade` then reads no file of the program."""
    scripts = ScriptDirectory(str(folder))
    list(scripts.walk_revisions())
    return scripts


def upgrade(connection: Connection, folder: Path) -> None:
    """Run the missing migrations in the transaction of the connection."""
    scripts = read_migrations(folder)
    # As Alembic documents it; `command.upgrade` would read the files again.
    environment = EnvironmentContext(Config(), scripts, fn=lambda found, _: scripts._upgrade_revs("head", found))
    with _one_at_a_time, environment as steps:
        steps.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
        steps.run_migrations()


def alembic_config(connection: Connection, folder: Path) -> Config:
    """Return the configuration of Alembic for one connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
