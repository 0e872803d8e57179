"""Selection of the settings file, and errors about files.

Without PASSERELLE_CONFIG the file in the working folder is used, else the one in /etc/passerelle. The first counts only
if the caller or root owns it: another user must not be able to choose the CAS server by leaving a file there.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

CONFIG_NAME = "PASSERELLE_CONFIG"
FILE_NAME = "passerelle.toml"
SYSTEM_FOLDER = Path("/etc/passerelle")


def default_config_files() -> tuple[Path, ...]:
    """Return the files to look for, in order."""
    files = [SYSTEM_FOLDER / FILE_NAME]
    with suppress(FileNotFoundError):  # the working folder was removed
        files.insert(0, Path.cwd() / FILE_NAME)
    return tuple(files)


def config_file_in_use(environ: Mapping[str, str], files: Sequence[Path]) -> str | None:
    """Return the file that `load` reads: the one in the environment, or the first that exists, readable or not.

    An inaccessible folder is skipped unless it is the last, because commands can run as another user in root's folder.
    """
    if named := environ.get(CONFIG_NAME):
        return named
    for file in files:
        try:
            file.lstat()
        except OSError as error:
            if file != files[-1] or isinstance(error, (FileNotFoundError, NotADirectoryError)):
                continue
        return str(file)  # reading it reports an error
    return None


def insecure_file_error(file: Path) -> str | None:
    """Return why a file found by default must not be trusted, or None."""
    if file.parent == SYSTEM_FOLDER:
        return None  # only root can write there
    try:
        found, link = file.stat(), file.lstat()
    except OSError:
        return None  # reading it reports the error
    for one in (found, link):  # the owner of a symbolic link chooses the file as well
        if one.st_uid not in (0, os.geteuid()):
            return f"{file} belongs to uid {one.st_uid}, not to you or root; to use it, set PASSERELLE_CONFIG"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        return f"{file} is writable for group {found.st_gid}; run `chmod g-w` on it, or set PASSERELLE_CONFIG"
    if found.st_mode & stat.S_IWOTH:
        return f"{file} is writable for all users; run `chmod o-w` on it, or set PASSERELLE_CONFIG"
    return None


def describe_read_error(error: OSError | UnicodeError) -> str:
    """Return the reason of a failed read and its remedy, if known."""
    if not isinstance(error, OSError):
        return "it is not UTF-8 text"
    reason = error.strerror or type(error).__name__
    remedy = None
    if isinstance(error, PermissionError):
        remedy = f"uid {os.geteuid()}, which runs this, must be able to read it"
    elif isinstance(error, IsADirectoryError):
        remedy = "Docker creates a directory for a missing file: remove it and correct the name"
    elif isinstance(error, FileNotFoundError) and str(error.filename or "").startswith("/run/secrets/"):
        remedy = "in the bundle, `docker compose run --rm prepare` creates it"
    return f"{reason}; {remedy}" if remedy else reason
