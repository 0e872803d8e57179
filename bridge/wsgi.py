"""A worker process: the application, and the housekeeping that goes on beside it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from flask import Flask

from bridge import create_app
from bridge.background_jobs import start_background_jobs
from bridge.log import configure_logging
from bridge.metrics import SHARED_DIRECTORY, Metrics
from bridge.settings import load
from bridge.web.context import EXTENSION

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def application() -> Flask:
    """What a WSGI server calls once in each worker: `bridge.wsgi:application()`."""
    end_with_parent()
    # Until the server sets its own handler, a forked worker has the parent's, which only sets a flag of the parent's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load(os.environ)
    configure_logging(settings.log_level)
    app = create_app(settings, metrics=Metrics(os.environ.get(SHARED_DIRECTORY)))
    start_background_jobs(
        app.extensions[EXTENSION].provider, signing_key_max_age_seconds=settings.signing_key_max_age_seconds
    )
    return app


def end_with_parent() -> None:
    """A worker whose parent was killed would go on, and hold the port against the parent's successor."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
