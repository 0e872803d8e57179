"""The volume service: a process of the hub that creates shared folders and measures homes.

It measures one home at a time: soon after its lab has stopped, every five minutes while the lab runs, and once a day
otherwise. A home whose measurement failed comes last, so that it does not delay the others. Starts never wait for the
service; they read the sizes from the ledger in `quota.py`.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from docker.errors import DockerException
from requests.exceptions import RequestException

from hub.config.field_types import SettingsError
from hub.config.settings import VolumeServiceSettings, load_settings
from hub.storage.quota import Ledger, Usage
from hub.storage.shared_folders import build_shared_folders
from hub.storage.volumes import ToolError, Volumes

POLL_INTERVAL = 3  # seconds
RUNNING_INTERVAL = 300
IDLE_INTERVAL = 86_400
START_DELAY = 60  # a lab that starts needs the disk itself
FAILED_INTERVAL = 1800
MEASUREMENT_TIMEOUT = 600
RETRY_DELAY = 60

# JupyterHub passes a service no other part of its environment.
_ENVIRONMENT = (
    *("PROJECT_NAME", "HUB_CONFIG_FILE", "LAB_PUBLIC_FOLDER", "AUTH_ADMIN_GROUPS"),
    *("TOOL_IMAGE", "HUB_DATA_DIR", "DOCKER_HOST"),
)

log = logging.getLogger("volumes")


@dataclass
class MeasurementSchedule:
    """Chooses the home to measure next; `running_since` holds the homes whose lab runs, or has just stopped."""

    read: Callable[[str], Usage | None]
    running_since: dict[str, float] = field(default_factory=dict)

    def next(self, homes: Iterable[str], running: set[str], now: float) -> str | None:
        """Return the home that is due, if any; homes whose lab has just stopped come first.

        Args:
            homes: The volumes of all homes.
            running: Those in which a lab runs.
            now: Seconds since the epoch.
        """
        due = []
        for home in homes:
            known = self.read(home)
            rank = self._rank(home, known, running=home in running, now=now)
            if rank is not None:
                due.append((rank, known.measured_at if known else 0, home))
        self.running_since = dict.fromkeys(running, now) | self.running_since
        return min(due)[2] if due else None

    def finish(self, home: str, *, running: bool) -> None:
        """Note that a home was measured, or that the attempt failed."""
        if not running:
            self.running_since.pop(home, None)

    def _rank(self, home: str, known: Usage | None, *, running: bool, now: float) -> int | None:
        # abs: after the clock was set back, a home must not stay unmeasured.
        age = abs(now - known.measured_at) if known else float("inf")
        if known is not None and not known.complete:
            return 3 if age >= FAILED_INTERVAL else None
        if running:
            started = now - self.running_since.get(home, now) >= START_DELAY
            return 1 if started and age >= RUNNING_INTERVAL else None
        if home in self.running_since or (known is not None and known.lab_running):
            return 0
        return 2 if age >= IDLE_INTERVAL else None


def measure_next(volumes: Volumes, ledger: Ledger, schedule: MeasurementSchedule) -> bool:
    """Measure the home that is due, and return whether there was one."""
    running = volumes.homes_in_use()
    home = schedule.next(volumes.homes(), running, time.time())
    if home is None:
        return False
    try:
        used = volumes.size(home, MEASUREMENT_TIMEOUT)
    except ToolError as error:
        log.warning("%s; retrying later", error)
        used = None
    ledger.record(home, used, lab_running=home in running)
    schedule.finish(home, running=home in running)
    return True


def run(volumes: Volumes, ledger: Ledger, shared: list[str]) -> None:
    """Create the shared folders, then measure homes until the process ends."""
    schedule = MeasurementSchedule(ledger.read)
    shared_due = time.monotonic()
    while True:
        idle = True
        try:
            if time.monotonic() >= shared_due:
                shared_due = time.monotonic() + RETRY_DELAY
                volumes.remove_leftovers()
                volumes.create_shared(shared)
                shared_due = float("inf")
                log.info("shared folders are ready: %s", ", ".join(shared) or "none declared")
            idle = not measure_next(volumes, ledger, schedule)
        except (ToolError, DockerException, RequestException, OSError) as error:
            log.warning("retrying later: %s", error)
        if idle:
            time.sleep(POLL_INTERVAL)


def volume_service(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the service's entry in `JupyterHub.services`; JupyterHub restarts it, and it has no scopes."""
    return {
        "name": "volumes",
        "command": [sys.executable, "-m", "hub.storage.volume_service"],
        "environment": {name: environ[name] for name in _ENVIRONMENT if name in environ},
    }


def main() -> None:
    """Read the environment and run."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s")
    try:
        settings = load_settings(os.environ, VolumeServiceSettings)
    except SettingsError as error:
        sys.exit(str(error))
    # The hub ends its services by these signals; a traceback in the log would look like an error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    storage = settings.storage
    shared = build_shared_folders(storage, settings.config_file.content)
    run(Volumes(storage.project, storage.tool_image), Ledger(storage.data_dir), shared.volumes())


if __name__ == "__main__":
    main()
