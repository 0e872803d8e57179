"""A worker process: the application, and the housekeeping that goes on beside it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

import structlog
from flask import Flask

from bridge import create_app
from bridge.log import configure_logging
from bridge.settings import load
from bridge.store import Store
from bridge.web.context import EXTENSION

PURGE_INTERVAL_SECONDS = 600
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

log = structlog.get_logger()


def application() -> Flask:
    """What a WSGI server calls once in each worker: `bridge.wsgi:application()`."""
    end_with_parent()
    # Until the server sets its own handler, a forked worker has the parent's, which only sets a flag of the parent's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = load(os.environ)
    configure_logging(settings.log_level)
    app = create_app(settings)
    threading.Thread(target=_purge_for_ever, args=(app.extensions[EXTENSION].store,), daemon=True).start()
    return app


def end_with_parent() -> None:
    """A worker whose parent was killed would go on, and hold the port against the parent's successor."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _purge_for_ever(store: Store) -> None:
    """Every worker does it; deleting what is gone already costs nothing."""
    while True:
        time.sleep(PURGE_INTERVAL_SECONDS)
        try:
            purged = store.purge(now=int(time.time()))
        except Exception as error:  # noqa: BLE001  the next round may find the database well again
            log.warning("purge_failed", detail=type(error).__name__)
        else:
            if any(purged.values()):
                log.info("purged", **purged)
