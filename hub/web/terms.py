"""The terms of use: their texts, their version, their rendering, and the acceptances of users.

HUB_TERMS_FILE names a file among the notices, `terms.md` or `terms.txt`. Files such as `terms.fr.md` beside it are
translations. The version is a hash of all texts, so that an acceptance refers to exactly what the user could read.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from hub.config.field_types import SettingsError
from passerelle_common.i18n import LANGUAGES

MAX_SIZE = 200_000  # bytes
DEFAULT_TEXT = ""  # key of the text for languages without a translation
log = logging.getLogger("terms")
LOCK_TIMEOUT = 5  # seconds
_TABLES = (
    "CREATE TABLE IF NOT EXISTS terms (version TEXT PRIMARY KEY, texts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS acceptance (user TEXT NOT NULL, version TEXT NOT NULL REFERENCES terms,"
    " accepted_at TEXT NOT NULL, PRIMARY KEY (user, version))",
)
# No HTML, pictures or links other than web and mail addresses: the page must load nothing from other sites.
_markdown = MarkdownIt("js-default").disable(["image", "linkify"])


@dataclass(frozen=True)
class Terms:
    """One version of the terms; `texts` maps a language, or `DEFAULT_TEXT`, to its text."""

    version: str
    texts: Mapping[str, str]
    is_markdown: bool

    def in_language(self, language: str) -> tuple[Markup, str]:
        """Render the terms; return the HTML, and the language of the text or '' if that is unknown."""
        text = self.texts.get(language)
        shown = self.texts[DEFAULT_TEXT] if text is None else text
        html = Markup(_markdown.render(shown)) if self.is_markdown else Markup("<pre>{}</pre>").format(shown)  # noqa: S704
        return html, "" if text is None else language


def read_terms(folder: Path, name: str) -> Terms:
    """Read the terms and their translations.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is empty, too large or not UTF-8.
    """
    main = folder / name
    texts = {DEFAULT_TEXT: _read(main)}
    for language in LANGUAGES:
        translated = main.with_name(f"{main.stem}.{language}{main.suffix}")
        if translated.exists():
            texts[language] = _read(translated)
    digest = hashlib.sha256()
    for language, text in sorted(texts.items()):
        digest.update(f"{language}\0{len(text)}\0{text}".encode())
    return Terms(digest.hexdigest(), texts, is_markdown=main.suffix == ".md")


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_SIZE:
        raise ValueError(f"{path.name} is larger than {MAX_SIZE // 1000} kB")
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ValueError(f"{path.name} is empty")
    return text


class TermsInForce:
    """The current terms, read again at each use so that a new version applies at once."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        try:
            self._last = read_terms(folder, name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SettingsError(
                f"the hub cannot start: the terms of use {name} cannot be read ({reason}): put them into "
                "deployment/notices/, or leave HUB_TERMS_FILE in .env empty."
            ) from None

    def now(self) -> Terms:
        """Return the current terms; the last readable ones while a file is missing or incomplete."""
        try:
            self._last = read_terms(self._folder, self._name)
        except (OSError, ValueError) as error:
            log.error("the terms of use cannot be read, the previous version stays in force: %s", error)
        return self._last


class Acceptances:
    """Acceptances of the terms, in a database of their own, because JupyterHub's migrations know its own tables only.

    The texts of a version are kept with its first acceptance, so that the administrator can prove later what a user
    accepted. Each call opens the database anew, so that no lock is held between calls.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "terms.sqlite3"

    def when(self, user: str, version: str, *, since: datetime) -> datetime | None:
        """Return when a user accepted a version; acceptances before `since` belong to a previous owner of the name."""
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
