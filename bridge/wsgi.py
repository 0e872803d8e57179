"""A worker process: the WSGI application and its background jobs.

The jobs are purge, key rotation by age and delivery of logout tokens. Every worker runs all of them; the store ensures
that each piece of work is done once.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping

import structlog
from flask import Flask

from bridge.app import create_app
from bridge.log import configure_logging
from bridge.metrics import SHARED_DIRECTORY, Metrics
from bridge.oauth.backchannel import Deliverer
from bridge.oauth.provider_context import ProviderContext
from bridge.settings import load
from bridge.web.context import EXTENSION

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
DELIVERY_INTERVAL_SECONDS = 1
PURGE_INTERVAL_SECONDS = 600
SHORT_LIVED_PURGE_INTERVAL_SECONDS = 60
TICK_SECONDS = 1

log = structlog.get_logger()


def application() -> Flask:
    """Build the application of this worker; the WSGI server calls `bridge.wsgi:application()` once."""
    _end_with_parent()
    # A forked worker inherits the parent's handler until the server sets its own; that one only sets a flag.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load(os.environ)
    configure_logging(settings.log_level)
    app = create_app(settings, metrics=Metrics(os.environ.get(SHARED_DIRECTORY)))
    _start_background_jobs(
        app.extensions[EXTENSION].provider, signing_key_max_age_seconds=settings.signing_key_max_age_seconds
    )
    return app


def _end_with_parent() -> None:
    """Kill this worker when its parent is killed; otherwise it would keep the port from the next parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _start_background_jobs(provider: ProviderContext, *, signing_key_max_age_seconds: int) -> None:
    """Start the jobs in two threads, which run until the process ends."""

    def purge(*, short_lived_only: bool = False) -> None:
        purged = provider.store.purge(now=provider.now(), short_lived_only=short_lived_only)
        if any(purged.values()):
            log.info("purged", **purged)

    def purge_short_lived() -> None:
        purge(short_lived_only=True)

    def rotate() -> None:
        for kid in provider.keys.rotate_by_age(signing_key_max_age_seconds):
            log.info("signing_key_added", kid=kid)

    maintenance: Mapping[Callable[[], None], int] = {
        purge_short_lived: SHORT_LIVED_PURGE_INTERVAL_SECONDS,
        purge: PURGE_INTERVAL_SECONDS,
        rotate: PURGE_INTERVAL_SECONDS,
    }
    deliveries = {Deliverer(provider).start_due: DELIVERY_INTERVAL_SECONDS}
    # Two threads, because a purge can take a second and would delay deliveries.
    for jobs, wake_up in ((maintenance, threading.Event()), (deliveries, provider.logout_queued)):
        threading.Thread(target=_run_forever, args=(jobs, wake_up), daemon=True).start()


def _run_forever(jobs: Mapping[Callable[[], None], int], wake_up: threading.Event) -> None:
    """Run each job at its interval in seconds, and all of them at once on `wake_up`."""
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
