"""Background jobs of a worker: purge, key rotation by age, delivery of logout tokens.

Every worker runs all of them; the store ensures that each piece of work is done once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from bridge.oauth.backchannel import Deliverer
from bridge.oauth.provider_context import ProviderContext

DELIVERY_INTERVAL_SECONDS = 1
PURGE_INTERVAL_SECONDS = 600
TICK_SECONDS = 1

Jobs = Mapping[Callable[[], None], int]
"""Each job with its interval in seconds."""

log = structlog.get_logger()


def start_background_jobs(provider: ProviderContext, *, signing_key_max_age_seconds: int) -> None:
    """Start the jobs in two threads, which run until the process ends."""

    def purge() -> None:
        purged = provider.store.purge(now=provider.now())
        if any(purged.values()):
            log.info("purged", **purged)

    def rotate() -> None:
        for kid in provider.keys.rotate_by_age(signing_key_max_age_seconds):
            log.info("signing_key_added", kid=kid)

    _start("maintenance", {purge: PURGE_INTERVAL_SECONDS, rotate: PURGE_INTERVAL_SECONDS}, threading.Event())
    # A separate thread, because a purge can take a second and would delay deliveries.
    _start("logout-tokens", {Deliverer(provider).start_due: DELIVERY_INTERVAL_SECONDS}, provider.logout_queued)


def _start(name: str, jobs: Jobs, wake_up: threading.Event) -> None:
    threading.Thread(target=_run_forever, args=(jobs, wake_up), daemon=True, name=name).start()


def _run_forever(jobs: Jobs, wake_up: threading.Event) -> None:
    """Run each job at its interval, and all of them at once on `wake_up`."""
    due = dict.fromkeys(jobs, time.monotonic())
    while True:
        for job, interval in jobs.items():
            if time.monotonic() >= due[job]:
                due[job] = time.monotonic() + interval
                try:
                    job()
                except Exception as error:  # noqa: BLE001  the next run may succeed, e.g. after a database restart
                    log.warning("background_job_failed", job=job.__name__, detail=type(error).__name__)
        if wake_up.wait(TICK_SECONDS):
            wake_up.clear()
            due = dict.fromkeys(jobs, time.monotonic())
