"""What a worker does beside serving: purge, rotate keys by age, deliver logout tokens.

Every worker does all of it; the store sees to it that each piece of work is done once.
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

log = structlog.get_logger()


def start_background_jobs(provider: ProviderContext, *, signing_key_max_age_seconds: int) -> None:
    """In a thread of its own, until the process ends."""

    def purge() -> None:
        purged = provider.store.purge(now=provider.now())
        if any(purged.values()):
            log.info("purged", **purged)

    def rotate() -> None:
        for kid in provider.keys.rotate_by_age(signing_key_max_age_seconds):
            log.info("signing_key_added", kid=kid)

    chores: Mapping[Callable[[], None], int] = {purge: PURGE_INTERVAL_SECONDS, rotate: PURGE_INTERVAL_SECONDS}
    _start("housekeeping", chores, threading.Event())
    # Apart: somebody waits for these, and a purge can take a second.
    deliver: Mapping[Callable[[], None], int] = {Deliverer(provider).start_due: DELIVERY_INTERVAL_SECONDS}
    _start("logout-tokens", deliver, provider.logout_queued)


def _start(name: str, chores: Mapping[Callable[[], None], int], waking: threading.Event) -> None:
    threading.Thread(target=_do_for_ever, args=(chores, waking), daemon=True, name=name).start()


def _do_for_ever(chores: Mapping[Callable[[], None], int], waking: threading.Event) -> None:
    """Each chore at its own pace, and all of them when somebody wakes us."""
    due = dict.fromkeys(chores, time.monotonic())
    while True:
        for chore, interval in chores.items():
            if time.monotonic() >= due[chore]:
                due[chore] = time.monotonic() + interval
                try:
                    chore()
                except Exception as error:  # noqa: BLE001  the next round may find the database well again
                    log.warning("housekeeping_failed", chore=chore.__name__, detail=type(error).__name__)
        if waking.wait(TICK_SECONDS):
            waking.clear()
            due = dict.fromkeys(chores, time.monotonic())
