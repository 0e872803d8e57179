"""SQLite databases that somebody writes to at this moment, copied as of one moment.

By SQLite itself, as root: the files that it may have to make beside a database get the database's owner then, so that
nothing foreign is left in the way of the service.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hub.administration.faults import AdministrationError

HEADER = b"SQLite format 3\0"
BESIDE = ("-wal", "-shm", "-journal")
BUSY = 30  # seconds
# What a restored hub must not believe: that labs run. On the same engine they would be another deployment's.
FORGET_LABS = (
    "DELETE FROM servers WHERE id IN (SELECT server_id FROM spawners WHERE server_id IS NOT NULL)",
    "UPDATE spawners SET server_id = NULL, state = NULL, started = NULL",
)


def find_databases(volume: Path) -> list[Path]:
    """The databases of a volume; links are not followed."""
    found = []
    for folder, _, names in os.walk(volume):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and not name.endswith(BESIDE):
                with path.open("rb") as stream:
                    if stream.read(len(HEADER)) == HEADER:
                        found.append(path)
    return sorted(found)


def copy_database(source: Path, target: Path) -> None:
    """Write a copy as of one moment, checked whole, in one file."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600))
    try:
        # "rw", because readers of a database with a write-ahead log write to its index.
        address = f"file:{quote(str(source))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY)) as live, closing(sqlite3.connect(draft)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            check(copy, source)
        draft.replace(target)
    except sqlite3.Error as error:
        raise AdministrationError(f"the database {source.name} cannot be copied: {error}.") from None
    finally:
        for left in (draft, *(draft.with_name(draft.name + end) for end in BESIDE)):
            left.unlink(missing_ok=True)


def check(database: sqlite3.Connection, source: Path) -> None:
    """Raise unless SQLite finds it whole."""
    (answer,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise AdministrationError(f"the database {source.name} is damaged: {answer}.")


def schema_of(path: Path) -> str:
    """The migration that a database is at; empty if it knows of none."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as database:
        try:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            return ""
    return str(row[0]) if row else ""


def forget_labs(path: Path) -> None:
    """Take from a copy of the hub's database that any lab runs."""
    with closing(sqlite3.connect(path)) as database, database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if {"servers", "spawners"} <= tables:
            for statement in FORGET_LABS:
                database.execute(statement)
