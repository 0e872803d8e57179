"""The soft limit of a home: how much it may hold, what was measured, and what that means for the next start.

Nothing stops a write. A home over its limit is seen (by its owner, in the lab) and felt at the next start, which is
refused with a way out: a small lab for half an hour, in which files can be deleted. Somebody who cannot start could
not delete either.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from hub.config.hub_toml import HubToml, bytes_of
from hub.config.settings import Reader

TIDY_SECONDS = 1800
TIDY_MEMORY = "512M"
TIDY_CPU = 0.5

OVER_LIMIT = (
    "Your home holds {used}, but {limit} is all it may hold, so your lab does not start. Start it to tidy up instead: "
    "you get a small lab for {minutes} minutes, in which you can download and delete files. Stop it when you are done, "
    "and start as usual."
)


@dataclass(frozen=True)
class Usage:
    """What is known about a home's size."""

    used: int
    measured_at: float
    """Seconds since the epoch."""
    complete: bool = True
    """False if the last attempt took too long: the number is an older one's, or 0."""
    lab_running: bool = False
    """While it was measured: a home whose lab has stopped since is measured again."""


class Ledger:
    """The measured sizes: one small file a home, replaced as a whole, so that several processes may write.

    Other parts of the hub may read it; it can be deleted, and comes back.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, volume: str) -> Usage | None:
        """The last measurement, if there is one that can be read."""
        try:
            found = json.loads((self._folder / f"{volume}.json").read_text(encoding="utf-8"))
            return Usage(
                int(found["used"]), float(found["measured_at"]), bool(found["complete"]), bool(found["lab_running"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, volume: str, usage: Usage) -> None:
        """Keep a measurement."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(usage), file)
            Path(name).replace(self._folder / f"{volume}.json")
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def has(self, volume: str) -> bool:
        """Whether there is a file of it, readable or not."""
        return (self._folder / f"{volume}.json").exists()

    def forget(self, volume: str) -> None:
        """The home is gone."""
        (self._folder / f"{volume}.json").unlink(missing_ok=True)

    def note(self, volume: str, used: int | None, *, lab_running: bool) -> Usage:
        """Keep what a measurement gave just now; None if it came to no end."""
        before = self.read(volume)
        usage = Usage(
            used=used if used is not None else before.used if before else 0,
            measured_at=time.time(),
            complete=used is not None,
            lab_running=lab_running,
        )
        self.write(volume, usage)
        return usage


def ledger_in(data_dir: Path) -> Ledger:
    """Where the hub keeps it."""
    return Ledger(data_dir / "homes")


def read_quota(read: Reader) -> str:
    """The limit for everybody, or nothing."""
    return read.size("LAB_HOME_QUOTA", "")


def limit_of(groups: Collection[str], declared: HubToml, for_everybody: str) -> int | None:
    """The bytes that somebody in these groups may keep: the largest of their groups', else everybody's, else None."""
    of_groups = [bytes_of(rules.quota) for rules in declared.rules_of(groups) if rules.quota]
    if of_groups:
        return max(of_groups)
    return bytes_of(for_everybody) if for_everybody else None


class Start(Enum):
    """What becomes of a start."""

    ORDINARY = "ordinary"
    TIDY = "tidy"
    REFUSED = "refused"


def decide(used: int, limit: int | None, *, wants_to_tidy: bool) -> Start:
    """Whether a lab may start, and which. Nobody gets the small one who has room."""
    if limit is None or used <= limit:
        return Start.ORDINARY
    return Start.TIDY if wants_to_tidy else Start.REFUSED


def sentence(used: int, limit: int) -> str:
    """For somebody whose start is refused."""
    return OVER_LIMIT.format(used=in_words(used), limit=in_words(limit), minutes=TIDY_SECONDS // 60)


def in_words(size: int) -> str:
    """A size for people, in the units that limits are set in."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
