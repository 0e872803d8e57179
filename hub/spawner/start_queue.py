"""Whose lab starts now, and who waits: a few at once, in the order in which they came.

A lab takes a processor for some seconds until it answers. Thirty that start at the same moment on two processors all
take a minute, and most of them longer than anybody waits for; one after the other they take as long in all, none takes
too long, and the first people are at work after five seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

TELL_AGAIN_AFTER = 5.0  # seconds of waiting
STARTS_PER_PROCESSOR = 2  # one computes, the other waits for the disk


class SpawnQueue:
    """A queue for something that only a few may do at once."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, tell: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for one's turn, and have it until the end of the block.

        :param tell: called with one's place in the queue, 1 for the next, when it has changed
        """
        await self._wait(tell)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, tell: Callable[[int], None]) -> None:
        if self._free:
            self._free -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._queue.append(mine)
        told = None
        try:
            while not mine.done():
                if (place := self._queue.index(mine) + 1) != told:
                    tell(told := place)
                await asyncio.wait({mine}, timeout=TELL_AGAIN_AFTER)
        except asyncio.CancelledError:
            if mine.done():
                self._pass_on()
            else:
                self._queue.remove(mine)
            raise

    def _pass_on(self) -> None:
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self._free += 1


def turns_of_this_machine() -> SpawnQueue:
    """As many at once as its processors can carry."""
    return SpawnQueue(STARTS_PER_PROCESSOR * (os.cpu_count() or 1))
