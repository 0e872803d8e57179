"""A worker process: the WSGI application and its background jobs."""

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
    """Build the application of this worker; the WSGI server calls `bridge.wsgi:application()` once."""
    end_with_parent()
    # A forked worker inherits the parent's handler until the server sets its own; that one only sets a flag.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load(os.environ)
    configure_logging(settings.log_level)
    app = create_app(settings, metrics=Metrics(os.environ.get(SHARED_DIRECTORY)))
    start_background_jobs(
        app.extensions[EXTENSION].provider, signing_key_max_age_seconds=settings.signing_key_max_age_seconds
    )
    return app


def end_with_parent() -> None:
    """Kill this worker when its parent is killed; otherwise it would keep the port from the next parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
