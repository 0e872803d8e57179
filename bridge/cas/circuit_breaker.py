"""Circuit breaker for requests to CAS.

After several timeouts in a row, requests fail at once instead of after eight seconds, so that users are not kept
waiting and no thread is. After a pause, one request at a time is sent again; the first one that gets any response ends
the pause.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from bridge.errors import UpstreamBusy, UpstreamTimeout

MAX_TIMEOUTS = 5
PAUSE_SECONDS = 10.0


class CircuitBreaker:
    """A context manager around each request. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._timeouts = 0
        self._next_request_at = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether the latest requests timed out and none has succeeded since."""
        return self._timeouts >= MAX_TIMEOUTS

    def __enter__(self) -> None:
        with self._lock:
            if self.is_open:
                now = self._clock()
                if now < self._next_request_at:
                    raise UpstreamBusy(detail=f"not sent, because the last {self._timeouts} requests to CAS timed out")
                self._next_request_at = now + PAUSE_SECONDS

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with self._lock:
            if isinstance(error, UpstreamTimeout):
                self._timeouts += 1
                self._next_request_at = self._clock() + PAUSE_SECONDS
            else:
                self._timeouts = 0
