"""How the inside speaks: one JSON object a line."""

from __future__ import annotations

import json
import time
from typing import Any

EVERY = 1.0  # seconds


def tell(event: str, **fields: Any) -> None:
    """Say something to the command outside."""
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201  this is the line


class Progress:
    """How far one part is, told once a second."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what, self._total, self._done, self._told = what, total, 0, time.monotonic()

    def add(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        if time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            tell("progress", what=self._what, done=self._done, total=self._total)
