"""Which of the files that hold secrets, or stand for people, every user of this machine can read."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from pathlib import Path

from bridge.check.findings import Finding, plain, warning

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<file>(?!:memory:|file:)[^?]+)")
# Whoever mounts them decides on their mode, and within a container there is nobody else.
_MOUNTED = Path("/run/secrets")


def judge_open_files(secret_files: Iterable[Path], database_url: str) -> list[Finding]:
    """One finding for each file that is open to all."""
    files = dict.fromkeys(secret_files, "Who reads it can sign tokens, or sign in as an application.")
    if database := _SQLITE.match(database_url):
        files[Path(database["file"])] = "Signed-in people and their groups are in it, and the keys, encrypted."
    return [
        warning(
            "files.open",
            f"Every user of this machine can read {plain(str(file))}.",
            means,
            f"Run `chmod go= {plain(str(file))}` as its owner, which has to be the user that the bridge runs as.",
        )
        for file, means in files.items()
        if not file.is_relative_to(_MOUNTED) and _is_open(file)
    ]


def _is_open(file: Path) -> bool:
    """Whether others may read it, and get there."""
    try:
        real = file.resolve(strict=True)
        if not real.stat().st_mode & stat.S_IROTH:
            return False
        return all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
    except (OSError, RuntimeError):
        return False
