"""The announcement on every page of the hub.

It is read for every page, so that a change needs no restart: the file `announcement.txt` among the notices, or
`announcement.fr.txt` for pages in French, else HUB_ANNOUNCEMENT in .env. It is text, never markup: templates escape it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

MAX_LENGTH = 4000  # characters: every page carries the text
log = logging.getLogger("announcements")


@dataclass(frozen=True)
class Announcement:
    """An announcement: the text of the setting, and the folder of the files that replace it."""

    setting: str = ""
    folder: Path | None = None

    def in_language(self, language: str) -> str:
        """Return the current text in a language; empty if there is none."""
        names = (f"announcement.{language}.txt", "announcement.txt")
        return next((text for name in names if (text := self._read(name))), self.setting)

    def _read(self, name: str) -> str:
        if self.folder is None:
            return ""
        try:
            with (self.folder / name).open(encoding="utf-8", errors="replace") as file:
                text = file.read(MAX_LENGTH + 1).strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            log.warning("%s is not shown, it cannot be read: %s", name, error.strerror)
            return ""
        return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"
