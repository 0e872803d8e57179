"""Why a file that somebody named cannot be read, with what to do about it where that is known. Pure."""

from __future__ import annotations

import os

_MADE_BY_PREPARE = "/run/secrets/"


def why_unreadable(error: OSError | UnicodeError) -> str:
    """In words, without a full stop: the system's own, and the remedy after a semicolon."""
    if not isinstance(error, OSError):
        return "it is not UTF-8 text"
    reason = error.strerror or type(error).__name__
    remedy = None
    if isinstance(error, PermissionError):
        remedy = f"it must be readable for uid {os.geteuid()}, the user that this runs as"
    elif isinstance(error, IsADirectoryError):
        remedy = "Docker makes a directory in place of a file that is not there: remove it and correct the name"
    elif isinstance(error, FileNotFoundError) and str(error.filename or "").startswith(_MADE_BY_PREPARE):
        remedy = "in the bundle `docker compose run --rm prepare` makes it"
    return f"{reason}; {remedy}" if remedy else reason
