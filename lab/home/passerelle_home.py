"""A Jupyter server extension that returns the size of the home, for the status bar item in `labextension`.

At the next start the hub's own measurement counts. This one runs the same command in the lab, so that it changes when
files are deleted. Without a limit it measures nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

MEASURED_WITHIN = 60  # seconds
GOOD_FOR = 15
MAY_TAKE = 0.02  # share of the time, so that a large home is measured less often
_BEGAN = time.time()


class Home:
    """The size of the home, cached between requests."""

    def __init__(self, folder: Path, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._used: int | None = None
        self._next = float("-inf")
        self.limit = limit

    async def used(self) -> int | None:
        """Return the bytes on disk; the last value, or None, if the measurement takes too long."""
        async with self._one_at_a_time:
            began = self._now()
            if began >= self._next:
                size = await _measure(self._folder)
                self._used = self._used if size is None else size
                self._next = self._now() + max(GOOD_FOR, (self._now() - began) / MAY_TAKE)
        return self._used


async def _measure(folder: Path) -> int | None:
    process = await asyncio.create_subprocess_exec(
        *("nice", "du", "-sx", "--block-size=1", "--", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), MEASURED_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    number = said.split(b"\t", 1)[0]
    return int(number) if number.isdigit() else None


class HomeHandler(APIHandler):  # type: ignore[misc]  # untyped when the package is not there
    """The values of the status bar item."""

    def initialize(self, home: Home | None, ends_at: float | None) -> None:
        """Set the home and the end of a cleanup lab."""
        self._home = home
        self._ends_at = ends_at

    @authenticated
    async def get(self) -> None:
        """Return limit and used bytes, and when a cleanup lab ends, in seconds since the epoch."""
        answer: dict[str, Any] = {"limit": None, "used": None, "ends_at": self._ends_at}
        if self._home:
            answer |= {"limit": self._home.limit, "used": await self._home.used()}
        self.finish(json.dumps(answer))


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "passerelle_home"}]


def _load_jupyter_server_extension(server: Any) -> None:
    limit, cleanup = _number("PASSERELLE_HOME_QUOTA"), _number("PASSERELLE_CLEANUP_SECONDS")
    given = {
        "home": Home(Path.home(), limit) if limit else None,
        "ends_at": _BEGAN + cleanup if cleanup else None,
    }
    path = url_path_join(server.web_app.settings["base_url"], "passerelle", "home")
    server.web_app.add_handlers(".*$", [(path, HomeHandler, given)])
