"""The soft limit of a home: its measured size, and its limit.

Nothing stops a write. A home over its limit is shown to its owner in the lab, and blocks the next start. A start in
cleanup mode, a small lab for half an hour, lets the owner delete files.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from hub.config.field_types import parse_size
from hub.config.hub_toml import HubToml
from passerelle_common.atomic_write import atomic_write
from passerelle_common.i18n import Message, gettext_noop

CLEANUP_SECONDS = 1800
CLEANUP_MEMORY = "512M"
CLEANUP_CPU = 0.5

OVER_LIMIT = gettext_noop(
    "Your home uses %(used)s of %(limit)s, so your lab cannot start. Start it in cleanup mode instead: you get a small "
    "lab for %(minutes)s minutes in which you can download and delete files. Stop it when you are done, then start "
    "your lab as usual."
)
UNMEASURED = gettext_noop(
    "Your home holds so many files that its size could not be measured, so your lab cannot start. Start it in cleanup "
    "mode instead: you get a small lab for %(minutes)s minutes in which you can delete files, for example old "
    "environments and caches. If that does not help, contact the administrator."
)


@dataclass(frozen=True)
class Usage:
    """A measured size of a home.

    Attributes:
        used: Bytes on the disk; None if no attempt has finished yet.
        measured_at: Seconds since the epoch.
        complete: False if the last attempt failed; `used` is then from an older one.
        lab_running: Whether a lab ran meanwhile. Such a home is measured again once its lab has stopped.
    """

    used: int | None
    measured_at: float
    complete: bool = True
    lab_running: bool = False


_USAGE = TypeAdapter(Usage)


class Ledger:
    """The measured sizes: one small file for each home, replaced atomically. It may be deleted at any time."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "homes"

    def read(self, volume: str) -> Usage | None:
        """Return the last measurement, or None if there is no readable one."""
        try:
            return _USAGE.validate_json(self._path(volume).read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, volume: str, usage: Usage) -> None:
        """Replace the measurement of a home."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with atomic_write(self._path(volume)) as stream:
            stream.write(_USAGE.dump_json(usage))

    def has(self, volume: str) -> bool:
        """Return whether there is a file for a home, readable or not."""
        return self._path(volume).exists()

    def delete(self, volume: str) -> None:
        """Delete the measurement of a home that no longer exists."""
        self._path(volume).unlink(missing_ok=True)

    def record(self, volume: str, used: int | None, *, lab_running: bool) -> Usage:
        """Write a measurement that has just ended: bytes on the disk, or None if it failed."""
        before = self.read(volume)
        size = used if used is not None else before.used if before else None
        usage = Usage(size, time.time(), complete=used is not None, lab_running=lab_running)
        self.write(volume, usage)
        return usage

    def _path(self, volume: str) -> Path:
        return self._folder / f"{volume}.json"


def limit_of(groups: Collection[str], declared: HubToml, default: str) -> int | None:
    """Return the limit of a user's home in bytes: the largest of their groups' limits, else the default."""
    quota = declared.rules_for(groups).quota or default
    return parse_size(quota) if quota else None


def over_limit_message(used: int | None, limit: int) -> Message:
    """Return the message for a user whose start is rejected; `used` is None if the home could not be measured."""
    facts: dict[str, object] = {"minutes": CLEANUP_SECONDS // 60}
    if used is None:
        return Message(UNMEASURED, facts)
    return Message(OVER_LIMIT, facts | {"used": format_size(used), "limit": format_size(limit)})


def format_size(size: float) -> str:
    """Format a number of bytes in binary units, such as `1.5 GiB`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
