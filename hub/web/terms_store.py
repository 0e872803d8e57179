"""Acceptances of the terms of use, in a database of their own beside JupyterHub's.

JupyterHub's migrations know its own tables only. The texts of a version are kept with its first acceptance, so that
the administrator can prove later what a user accepted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hub.web.terms import Terms

LOCK_TIMEOUT = 5  # seconds
_TABLES = (
    "CREATE TABLE IF NOT EXISTS terms (version TEXT PRIMARY KEY, texts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS acceptance (user TEXT NOT NULL, version TEXT NOT NULL REFERENCES terms,"
    " accepted_at TEXT NOT NULL, PRIMARY KEY (user, version))",
)


class Acceptances:
    """The store of acceptances; each call opens the database anew, so that no lock is held between calls."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def when(self, user: str, version: str, *, since: datetime) -> datetime | None:
        """Return when a user accepted a version.

        Args:
            user: The name of the account.
            version: The version of the terms.
            since: Creation of the account; earlier acceptances belong to a previous owner of the name.
        """
        with self._open() as database:
            row = database.execute(
                "SELECT accepted_at FROM acceptance WHERE user = ? AND version = ?", (user, version)
            ).fetchone()
        accepted = datetime.fromisoformat(row[0]) if row else None
        return accepted if accepted is not None and accepted >= since else None

    def accept(self, user: str, terms: Terms, now: datetime | None = None) -> None:
        """Record an acceptance, together with the texts; repeated calls are harmless."""
        accepted_at = (now or datetime.now(UTC)).isoformat()
        with self._open() as database:
            database.execute(
                "INSERT OR IGNORE INTO terms VALUES (?, ?)",
                (terms.version, json.dumps(dict(terms.texts), ensure_ascii=False)),
            )
            database.execute("INSERT OR REPLACE INTO acceptance VALUES (?, ?, ?)", (user, terms.version, accepted_at))

    def has_any(self, user: str) -> bool:
        """Return whether a user has accepted any version; does not create the database."""
        if not self._path.exists():
            return False
        with self._open() as database:
            return database.execute("SELECT 1 FROM acceptance WHERE user = ?", (user,)).fetchone() is not None

    def delete(self, user: str) -> None:
        """Delete the acceptances of a user; does not create the database."""
        if self._path.exists():
            with self._open() as database:
                database.execute("DELETE FROM acceptance WHERE user = ?", (user,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # In autocommit mode no statement waits for a lock while it holds another.
        database = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT, isolation_level=None)
        try:
            for statement in _TABLES:
                database.execute(statement)
            yield database
        finally:
            database.close()


def acceptances_in(data_dir: Path) -> Acceptances:
    """Return the store in the hub's data folder."""
    return Acceptances(data_dir / "terms.sqlite3")
