"""Sparse files that a backup leaves out: restic reads holes as zeros, and a user can create one of exabytes."""

import os
import subprocess
from pathlib import Path

MAX_HOLES = 1 << 40  # bytes of one volume, some twenty minutes of reading
MAX_FILES = 100  # to name one by one; with more, the whole volume is left out
_MINIMUM = "+1024k"


def oversized_files(volume: Path) -> list[Path]:
    """Return the files of a volume with the largest holes, until those of the others are below `MAX_HOLES`.

    If more than `MAX_FILES` are, return the volume itself.
    """
    command = ["find", str(volume), "-xdev", "-type", "f", "-size", _MINIMUM, "-printf", r"%s %b %p\0"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  no shell
    found = []
    for line in done.stdout.split(b"\0")[:-1]:
        size, blocks, name = line.split(b" ", 2)
        found.append((int(size) - 512 * int(blocks), Path(os.fsdecode(name))))
    found = sorted((hole, path) for hole, path in found if hole > 0)
    total, excluded = sum(hole for hole, _ in found), []
    while total > MAX_HOLES:
        hole, path = found.pop()
        total -= hole
        excluded.append(path)
    return excluded if len(excluded) <= MAX_FILES else [volume]
