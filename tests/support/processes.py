"""Python processes that run the same program at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


class ProcessGroup:
    """A group of processes; each gets its number as the last argument, and the end of the block kills them."""

    def __init__(self, count: int, program: str, *arguments: str) -> None:
        self._all = [
            subprocess.Popen(
                [sys.executable, "-c", program, *arguments, str(number)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.kill()
            process.communicate()

    def wait_for(self, word: str) -> None:
        """Wait until every process has printed this line."""
        for process in self._all:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{word}\n"

    def send_line(self, word: str) -> None:
        """Send a line to every process."""
        for process in self._all:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()

    def outputs(self) -> list[str]:
        """Wait for the end of every process and return the remaining outputs."""
        return [process.communicate(timeout=60)[0] for process in self._all]
