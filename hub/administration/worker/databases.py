"""Consistent copies of SQLite databases that are in use.

SQLite itself copies them. It runs as root, so that files it creates beside a database get the database's owner.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hub.administration import AdministrationError

HEADER = b"SQLite format 3\0"
COMPANIONS = ("-wal", "-shm", "-journal")
LOCK_TIMEOUT = 30  # seconds
# A restored hub must not believe that labs run: on the same engine they would belong to another deployment.
FORGET_LABS = (
    "DELETE FROM servers WHERE id IN (SELECT server_id FROM spawners WHERE server_id IS NOT NULL)",
    "UPDATE spawners SET server_id = NULL, state = NULL, started = NULL",
)


def find_databases(volume: Path) -> list[Path]:
    """Return the databases in a volume; links are not followed."""
    found = []
    for path in volume.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(COMPANIONS):
            with path.open("rb") as stream:
                if stream.read(len(HEADER)) == HEADER:
                    found.append(path)
    return sorted(found)


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as of one moment into one file, and check the copy."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # "rw", because readers of a database with a write-ahead log write to its index.
        address = f"file:{quote(str(source))}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            (answer,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise AdministrationError(f"the database {source.name} cannot be copied: {error}.") from None
    if answer != "ok":
        raise AdministrationError(f"the database {source.name} is damaged: {answer}.")


def forget_labs(path: Path) -> None:
    """Mark all labs as stopped in a copy of the hub's database."""
    with closing(sqlite3.connect(path)) as database, database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if {"servers", "spawners"} <= tables:
            for statement in FORGET_LABS:
                database.execute(statement)
