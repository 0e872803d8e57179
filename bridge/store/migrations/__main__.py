"""`python -m bridge.store.migrations MESSAGE`: write a migration after a change of `schema.py`.

Review the file: Alembic takes a renamed column for a dropped and an added one, and existing rows may need a value.
"""

import sys
import tempfile
from pathlib import Path
from typing import cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from bridge.store.database import open_engine
from bridge.store.migrations import FOLDER, migrate, revisions
from bridge.store.migrations.alembic_run import alembic_config, read_migrations
from bridge.store.schema import metadata


def write_migration(message: str, folder: Path = FOLDER) -> Path | None:
    """Write the next migration; return None if the migrations already create the tables of the schema."""
    with tempfile.TemporaryDirectory() as directory:
        engine = open_engine(f"sqlite:///{directory}/migrated.sqlite3")
        try:
            migrate(engine, folder)
            with engine.connect() as connection:
                if not compare_metadata(MigrationContext.configure(connection), metadata):
                    return None
                config = alembic_config(connection, folder)
                config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
                number = len(list(ScriptDirectory(str(folder)).walk_revisions())) + 1
                written = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
                read_migrations.cache_clear()
                revisions.cache_clear()
        finally:
            engine.dispose()
    return Path(cast(Script, written).path)  # only Alembic hooks return anything else


def main(arguments: list[str]) -> int:
    """Write a migration and return the exit status."""
    if len(arguments) != 1 or not arguments[0].strip():
        sys.stderr.write('Describe the change: make migration m="add browser to sessions"\n')
        return 2
    written = write_migration(arguments[0].strip())
    if written is None:
        sys.stderr.write("The migrations match bridge/store/schema.py; there is nothing to write.\n")
        return 1
    sys.stdout.write(f"Wrote {written}. Review it, then run the tests.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
