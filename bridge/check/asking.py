"""Asking within a time for all, so that a check ends whatever does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from bridge.check.certificates import Certificate
from bridge.check.probe import PROBE_SECONDS, Answer, Place, Trouble, ask, greet, look_at_certificates, reach

RUN_SECONDS = 60.0

Waiting = Callable[[str], AbstractContextManager[None]]
T = TypeVar("T")


class TimeIsOver(Exception):  # noqa: N818  it says what happened
    """The time for the whole check."""


class BackgroundTask(Generic[T]):
    """Something that is found out meanwhile. Ctrl-C does not wait for it, as it would for a pool of threads."""

    def __init__(self, find_out: Callable[[], T]) -> None:
        self._found: SimpleQueue[T | BaseException] = SimpleQueue()

        def run() -> None:
            try:
                self._found.put(find_out())
            except BaseException as error:  # noqa: BLE001  raised where the result is asked for
                self._found.put(error)

        threading.Thread(target=run, daemon=True).start()

    def result(self) -> T:
        """To be asked for once."""
        found = self._found.get()
        if isinstance(found, BaseException):
            raise found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """What is sent in place of secrets."""

    ticket: str
    instant: str
    """The time of the check in ISO 8601."""
    now: float
    """Unix seconds."""


class Asker:
    """What the examinations ask through; safe to share between threads.

    :param waiting: entered with a few words while an answer is awaited
    :param seconds: for everything that is asked through this one
    """

    def __init__(self, waiting: Waiting, seconds: float = RUN_SECONDS) -> None:
        self._waiting = waiting
        self._deadline = time.monotonic() + seconds

    def ask(
        self,
        place: Place,
        url: str | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Trouble:
        """As `probe.ask`."""
        if (seconds := self._seconds()) is None:
            return Trouble(url=url or place.url, kind="silent", detail="the time for the whole check was over")
        with self._waiting(f"{place.host}:{place.port}"):
            return ask(place, url, body=body, headers=headers, seconds=seconds)

    def certificates(self, place: Place) -> list[Certificate]:
        """As `probe.look_at_certificates`."""
        seconds = self._seconds()
        return [] if seconds is None else look_at_certificates(place, seconds=seconds)

    def is_trusted(self, place: Place) -> bool | None:
        """As `probe.greet`."""
        seconds = self._seconds()
        return None if seconds is None else greet(place, seconds=seconds)

    def reach(self, place: Place, *, seconds: float) -> Trouble | None:
        """As `probe.reach`.

        :raises TimeIsOver: when there are not so many seconds left, since with fewer it might look unreachable
        """
        self.check_time(seconds)
        with self._waiting(f"{place.host}:{place.port}"):
            return reach(place, seconds=seconds)

    def check_time(self, seconds: float) -> None:
        """Whether so many are left for one question.

        :raises TimeIsOver: when not
        """
        if (self._seconds() or 0.0) < seconds:
            raise TimeIsOver

    def _seconds(self) -> float | None:
        left = self._deadline - time.monotonic()
        return min(PROBE_SECONDS, left) if left > 0 else None
