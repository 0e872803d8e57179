"""Start queue: labs start a few at a time, in order of request.

A starting lab needs a processor for some seconds. Thirty labs that start at once on two processors all take a minute;
one after the other, they take as long in total, and the first users can work after five seconds.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

POLL_INTERVAL = 5.0  # seconds between two checks of the place in the queue
STARTS_PER_PROCESSOR = 2  # one computes while the other waits for the disk


class SpawnQueue:
    """A first-in, first-out semaphore that reports the place in the queue."""

    def __init__(self, capacity: int = STARTS_PER_PROCESSOR * (os.cpu_count() or 1)) -> None:
        self._free = capacity
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, report_place: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for a slot and hold it until the end of the block; report each new place, 1 for the next."""
        await self._acquire(report_place)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, report_place: Callable[[int], None]) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        reported = None
        try:
            while not turn.done():
                if (place := self._waiting.index(turn) + 1) != reported:
                    report_place(reported := place)
                await asyncio.wait({turn}, timeout=POLL_INTERVAL)
        except asyncio.CancelledError:
            if turn.done():
                self._release()
            else:
                self._waiting.remove(turn)
            raise

    def _release(self) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1
