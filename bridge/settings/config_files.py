"""Which settings file is read when PASSERELLE_CONFIG names none: the working folder's, else the machine's.

A file that somebody else left in the folder where an administrator happens to stand must not decide where people
are sent to sign in: one in the working folder counts only when it is the caller's own or root's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

CONFIG_NAME = "PASSERELLE_CONFIG"
FILE_NAME = "passerelle.toml"
SYSTEM_FOLDER = Path("/etc/passerelle")


def default_config_files() -> tuple[Path, ...]:
    """Where a command looks, the first that is there counts."""
    places = [SYSTEM_FOLDER / FILE_NAME]
    with suppress(FileNotFoundError):  # the working folder was removed
        places.insert(0, Path.cwd() / FILE_NAME)
    return tuple(places)


def find_config_file(places: Sequence[Path]) -> Path | None:
    """The first of these files that is there, readable or not.

    A folder that may not be looked into counts as the last place alone: root may stand in one where a command is run
    as the bridge's user.
    """
    for place in places:
        try:
            place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            if place != places[-1]:
                continue
            return place  # reading says why, with the remedy
        return place
    return None


def config_file_in_use(environ: Mapping[str, str], places: Sequence[Path]) -> str | None:
    """The file that `load` reads, for people who wonder."""
    named = environ.get(CONFIG_NAME)
    return named or (None if (found := find_config_file(places)) is None else str(found))


def insecure_file_error(file: Path) -> str | None:
    """Why a file that nobody named is not to be trusted, or None."""
    if file.parent == SYSTEM_FOLDER:
        return None  # only root writes there
    try:
        found, link = file.stat(), file.lstat()
    except OSError:
        return None  # reading it says why
    for one in (found, link):  # a link decides as well, by leading to one file of yours instead of another
        if one.st_uid not in (0, os.geteuid()):
            return f"{file} belongs to uid {one.st_uid}, who is neither you nor root: name it there if you mean it"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        return f"{file} can be changed by the group {found.st_gid}: `chmod g-w` it, or name it there if you mean it"
    if found.st_mode & stat.S_IWOTH:
        return f"{file} can be changed by everybody on this machine: `chmod o-w` it, or name it there"
    return None


def describe_read_error(error: OSError | UnicodeError) -> str:
    """In words, without a full stop: the system's own, and the remedy after a semicolon."""
    if not isinstance(error, OSError):
        return "it is not UTF-8 text"
    reason = error.strerror or type(error).__name__
    remedy = None
    if isinstance(error, PermissionError):
        remedy = f"it must be readable for uid {os.geteuid()}, the user that this runs as"
    elif isinstance(error, IsADirectoryError):
        remedy = "Docker makes a directory in place of a file that is not there: remove it and correct the name"
    elif isinstance(error, FileNotFoundError) and str(error.filename or "").startswith("/run/secrets/"):
        remedy = "in the bundle `docker compose run --rm prepare` makes it"
    return f"{reason}; {remedy}" if remedy else reason
