"""What the administrator announces: a text on every page of the hub, read anew each time, so that no restart is due.

The file `announcement.txt` in the folder of notices, or its sibling `announcement.fr.txt` for readers of French; where
there is none or an empty one, HUB_ANNOUNCEMENT of .env. Text, never markup: templates escape it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

LONGEST = 4000  # characters: beyond this nobody reads, and every page carries it
log = logging.getLogger("announcements")


@dataclass(frozen=True)
class Announcement:
    """Where the text is."""

    setting: str = ""
    folder: Path | None = None

    def in_language(self, language: str) -> str:
        """The text of now; empty if nothing is announced."""
        names = (f"announcement.{language}.txt", "announcement.txt")
        return next((text for name in names if (text := self._read(name))), self.setting)

    def _read(self, name: str) -> str:
        if self.folder is None:
            return ""
        try:
            with (self.folder / name).open(encoding="utf-8", errors="replace") as file:
                text = file.read(LONGEST + 1).strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            log.warning("%s is not shown, it cannot be read: %s", name, error.strerror)
            return ""
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
