"""Findings of the check, and functions that format text for them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from passerelle_common.i18n import Message

Level = Literal["ok", "note", "warning", "FAULT"]

MAX_QUOTE_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    id: str  # stable name for scripts and tests, such as `cas.certificate`
    level: Level
    seen: str
    means: str = ""
    do: str = ""
    to_cas: Message | None = None  # sentence for the registration request, if the CAS administrator has to act


def ok(id: str, seen: str) -> Finding:
    """Report a correct result."""
    return Finding(id=id, level="ok", seen=seen)


def note(id: str, seen: str, means: str = "", do: str = "") -> Finding:
    """Report something that needs no action."""
    return Finding(id=id, level="note", seen=seen, means=means, do=do)


def warning(id: str, seen: str, means: str, do: str, to_cas: Message | None = None) -> Finding:
    """Report something that works badly, or that will soon fail."""
    return Finding(id=id, level="warning", seen=seen, means=means, do=do, to_cas=to_cas)


def fault(id: str, seen: str, means: str, do: str, to_cas: Message | None = None) -> Finding:
    """Report something that prevents users from signing in or out."""
    return Finding(id=id, level="FAULT", seen=seen, means=means, do=do, to_cas=to_cas)


def skipped(id: str, what: str, reason: str) -> Finding:
    """Report a check that could not run because an earlier result is missing."""
    return Finding(id=id, level="note", seen=f"{what}: not checked, because {reason}.")


def printable(text: str, *, max_chars: int | None = MAX_QUOTE_CHARS) -> str:
    """Return text from a server as one line without control characters, cut to `max_chars`."""
    line = re.sub(r"\s+", " ", text).strip()
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if max_chars is None or len(shown) <= max_chars else f"{shown[:max_chars]}…"


def join_names(names: Iterable[str], *, limit: int = 12) -> str:
    """Return names separated by commas, with a count of those beyond the limit."""
    shown = [printable(name) for name in names]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def format_duration(seconds: float) -> str:
    """Return a duration in its largest suitable unit, such as "10 minutes"."""
    whole = round(abs(seconds))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if whole >= 2 * size or (whole >= size and whole % size == 0):
            count = whole // size
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{whole} second{'s' * (whole != 1)}"
