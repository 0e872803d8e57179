"""Who accepted which terms of use, and when: a file of its own beside the hub's database.

The hub's own database is JupyterHub's, with migrations that know its tables only. Each version's texts are kept with
the first acceptance, so that it can be shown later what somebody agreed to.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hub.web.terms import Terms

WAIT_FOR_LOCK = 5  # seconds
_TABLES = (
    "CREATE TABLE IF NOT EXISTS terms (version TEXT PRIMARY KEY, texts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS acceptance (user TEXT NOT NULL, version TEXT NOT NULL REFERENCES terms,"
    " accepted_at TEXT NOT NULL, PRIMARY KEY (user, version))",
)


class Acceptances:
    """Opened anew for each question: they are rare, and nothing stays locked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def when(self, user: str, version: str, *, since: datetime) -> datetime | None:
        """When this user accepted this version; what was accepted before the account was made was somebody else's."""
        with self._open() as database:
            row = database.execute(
                "SELECT accepted_at FROM acceptance WHERE user = ? AND version = ?", (user, version)
            ).fetchone()
        accepted = datetime.fromisoformat(row[0]) if row else None
        return accepted if accepted is not None and accepted >= since else None

    def accept(self, user: str, terms: Terms, now: datetime | None = None) -> None:
        """Note it, with the texts; once more is as good as once."""
        moment = (now or datetime.now(UTC)).isoformat()
        with self._open() as database:
            database.execute(
                "INSERT OR IGNORE INTO terms VALUES (?, ?)",
                (terms.version, json.dumps(dict(terms.texts), ensure_ascii=False)),
            )
            database.execute("INSERT OR REPLACE INTO acceptance VALUES (?, ?, ?)", (user, terms.version, moment))

    def exist(self) -> bool:
        """Whether anybody has ever accepted anything here; every other question makes the file."""
        return self._path.exists()

    def has_any(self, user: str) -> bool:
        """Whether this user has ever accepted anything."""
        with self._open() as database:
            return database.execute("SELECT 1 FROM acceptance WHERE user = ?", (user,)).fetchone() is not None

    def forget(self, user: str) -> None:
        """Nothing of this user is kept."""
        with self._open() as database:
            database.execute("DELETE FROM acceptance WHERE user = ?", (user,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # Each statement stands for itself: none waits for a lock while it holds another.
        database = sqlite3.connect(self._path, timeout=WAIT_FOR_LOCK, isolation_level=None)
        try:
            for statement in _TABLES:
                database.execute(statement)
            yield database
        finally:
            database.close()


def acceptances_in(data_dir: Path) -> Acceptances:
    """Where the hub keeps them."""
    return Acceptances(data_dir / "terms.sqlite3")
