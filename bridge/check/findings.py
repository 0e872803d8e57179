"""What a finding is, and what many of them come to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "FAULT"]

_SAID_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence for those who run CAS, in the languages that the message to them can have."""

    en: str
    fr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    about: str
    """Its name for scripts and tests, such as `cas.certificate`."""
    level: Level
    seen: str
    means: str = ""
    do: str = ""
    to_cas: Told | None = None
    """What belongs into the message to the CAS administrator, when it is theirs to mend."""


def ok(about: str, seen: str) -> Finding:
    """As it should be."""
    return Finding(about=about, level="ok", seen=seen)


def note(about: str, seen: str, means: str = "", do: str = "") -> Finding:
    """Worth knowing; nothing has to be done."""
    return Finding(about=about, level="note", seen=seen, means=means, do=do)


def warning(about: str, seen: str, means: str, do: str, to_cas: Told | None = None) -> Finding:
    """It works, but not well, or not for long."""
    return Finding(about=about, level="warning", seen=seen, means=means, do=do, to_cas=to_cas)


def fault(about: str, seen: str, means: str, do: str, to_cas: Told | None = None) -> Finding:
    """Somebody cannot sign in or out as they should."""
    return Finding(about=about, level="FAULT", seen=seen, means=means, do=do, to_cas=to_cas)


def left_out(about: str, what: str, because: str) -> Finding:
    """A question that was not asked, because another answer is missing."""
    return Finding(about=about, level="note", seen=f"{what}: left out, because {because}.")


def has_fault(findings: Iterable[Finding]) -> bool:
    """Whether any of them is one."""
    return any(finding.level == "FAULT" for finding in findings)


def plain(text: str) -> str:
    """What a server said, fit to be shown: one line, cut, nothing in it that a terminal would obey."""
    line = re.sub(r"\s+", " ", text).strip()
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= _SAID_MAX_CHARS else f"{shown[:_SAID_MAX_CHARS]}…"


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Names in one line, not more than fit."""
    shown = [plain(name) for name in names]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")


def duration(seconds: float) -> str:
    """A length of time as people say it."""
    whole = round(abs(seconds))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if whole >= 2 * size or (whole >= size and whole % size == 0):
            count = whole // size
            return f"{count} {name}{'s' * (count != 1)}"
    return f"{whole} second{'s' * (whole != 1)}"
