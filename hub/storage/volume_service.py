"""The keeper of volumes: a service of the hub, a process of its own, that no start waits for.

Makes the shared folders that are declared, then measures homes: one after the other, when their lab has stopped, from
time to time while it runs, and once a day otherwise. Sizes go to the ledger that `quota.py` reads.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.errors import DockerException
from requests.exceptions import RequestException

from hub.config.hub_toml import read_declared
from hub.config.settings import Reader, SettingsError
from hub.storage.quota import Ledger, Usage, ledger_in
from hub.storage.shared_folders import read_shared_folders
from hub.storage.volumes import ToolError, Volumes, read_tool_image

LOOKS_EVERY = 3  # seconds
WHILE_RUNNING = 300
OTHERWISE = 86_400
SETTLES = 60  # a lab that starts has better things to do with the disk
MEASURED_WITHIN = 120
TRIES_AGAIN = 60

# What it reads of the hub's environment; a service gets nothing of it by itself.
_READS = (
    "PROJECT_NAME",
    "HUB_CONFIG_FILE",
    "LAB_PUBLIC_FOLDER",
    "AUTH_ADMIN_GROUPS",
    "TOOL_IMAGE",
    "HUB_DATA_DIR",
    "DOCKER_HOST",
)

log = logging.getLogger("keeper")


@dataclass
class MeasurementSchedule:
    """Decides which home is next."""

    read: Callable[[str], Usage | None]
    seen: dict[str, float] = field(default_factory=dict)
    """Homes with a lab, and since when."""

    def next(self, homes: Iterable[str], running: set[str], now: float) -> str | None:
        """The home to measure now, if any. Of those that are due, one whose lab has just stopped comes first."""
        due: list[tuple[int, str]] = []
        for home in homes:
            rank = self._rank(home, running=home in running, now=now)
            if rank is not None:
                due.append((rank, home))
        for home in running:
            self.seen.setdefault(home, now)
        return min(due)[1] if due else None

    def done(self, home: str, *, running: bool) -> None:
        """It was measured, or at least tried."""
        if not running:
            self.seen.pop(home, None)

    def _rank(self, home: str, *, running: bool, now: float) -> int | None:
        known = self.read(home)
        # A clock that was set back must not keep a home from being measured.
        age = abs(now - known.measured_at) if known else float("inf")
        if running:
            settled = now - self.seen.get(home, now) >= SETTLES
            return 1 if settled and age >= WHILE_RUNNING else None
        stopped = home in self.seen or (known is not None and known.lab_running)
        if stopped:
            return 0
        return 2 if age >= OTHERWISE else None


def measure_one(volumes: Volumes, ledger: Ledger, rounds: MeasurementSchedule) -> bool:
    """One look, and at most one measurement; whether there was one."""
    running = volumes.homes_in_use()
    home = rounds.next(volumes.homes(), running, time.time())
    if home is None:
        return False
    used = None
    try:
        used = volumes.size(home, MEASURED_WITHIN)
    except ToolError as fault:
        log.warning("%s; tried again later", fault)
    ledger.note(home, used, lab_running=home in running)
    rounds.done(home, running=home in running)
    return True


def keep(volumes: Volumes, ledger: Ledger, shared: list[str]) -> None:
    """For ever."""
    rounds = MeasurementSchedule(ledger.read)
    made_at: float | None = None
    tried_at = float("-inf")
    while True:
        pause = True
        try:
            if made_at is None and time.monotonic() - tried_at >= TRIES_AGAIN:
                tried_at = time.monotonic()
                volumes.tidy()
                volumes.make(shared)
                made_at = time.monotonic()
                log.info("shared folders are ready: %s", ", ".join(shared) or "none declared")
            pause = not measure_one(volumes, ledger, rounds)
        except (ToolError, DockerException, RequestException, OSError) as fault:
            log.warning("tried again later: %s", fault)
        if pause:
            time.sleep(LOOKS_EVERY)


def keeper_service(environ: Mapping[str, str]) -> dict[str, object]:
    """What JupyterHub is told to start, and to start again should it end. It has no rights at the hub."""
    return {
        "name": "keeper",
        "command": [sys.executable, "-m", "hub.storage.volume_service"],
        "environment": {name: environ[name] for name in _READS if name in environ},
    }


def main() -> None:
    """Read the hub's environment and keep."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    reader = Reader(os.environ)
    try:
        shared = read_shared_folders(reader, read_declared(reader.path("HUB_CONFIG_FILE")))
        image, data_dir = read_tool_image(reader), Path(reader.text("HUB_DATA_DIR"))
        reader.check()
    except SettingsError as fault:
        sys.exit(str(fault))
    # The hub ends its services so; a traceback in the log would look like a fault.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    keep(Volumes(shared.project, image), ledger_in(data_dir), shared.volumes())


if __name__ == "__main__":
    main()
