"""`python -m bridge.store.migrations MESSAGE`: write the migration from the last one's tables to the schema's.

For whoever changes `schema.py`. What is written has to be read: a renamed column looks like one that went and one
that came, and rows that are there already may need a value.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bridge.store.database import open_engine
from bridge.store.migrations import FOLDER, bring_up_to_date
from bridge.store.schema import metadata


def write_migration(message: str, folder: Path = FOLDER) -> Path | None:
    """The new file, numbered; None when the migrations already make the tables of the schema."""
    with tempfile.TemporaryDirectory() as place:
        engine = open_engine(f"sqlite:///{place}/migrated.sqlite3")
        try:
            bring_up_to_date(engine, folder)
            with engine.connect() as connection:
                if not compare_metadata(MigrationContext.configure(connection), metadata):
                    return None
                config = Config(attributes={"connection": connection})
                config.set_main_option("script_location", str(folder).replace("%", "%%"))
                config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
                number = len(list(ScriptDirectory(str(folder)).walk_revisions())) + 1
                written = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        finally:
            engine.dispose()
    assert written is not None  # noqa: S101  None is for alembic's own hooks, and there are none
    assert not isinstance(written, list)  # noqa: S101
    return Path(written.path)


def main(arguments: list[str]) -> int:
    """The exit status: 0 when a file was written."""
    if len(arguments) != 1 or not arguments[0].strip():
        sys.stderr.write('Say in a few words what changes: make migration m="sessions know their browser"\n')
        return 2
    written = write_migration(arguments[0].strip())
    if written is None:
        sys.stderr.write(
            "The migrations make exactly the tables of bridge/store/schema.py: there is nothing to write.\n"
        )
        return 1
    sys.stdout.write(f"Wrote {written}. Read it, then run the tests.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
