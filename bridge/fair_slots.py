"""Slots that waiting callers get in turn by key, so that one caller cannot delay all others."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable


class NoSlotError(Exception):
    """Too many callers of this key wait, or this one has waited too long."""


class FairSlots:
    """A limited number of slots, for the coroutines of one event loop."""

    def __init__(self, total: int, *, each: int, queue: int, seconds: float) -> None:
        """Each key holds up to `each` slots; up to `queue` callers of a key wait, for `seconds` at most."""
        self._free, self._each, self._queue, self._seconds = total, each, queue, seconds
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def acquire(self, key: str) -> Callable[[], None]:
        """Take a slot and return the function that releases it, once; raise NoSlotError if there is none in time."""
        if self._free and self._held[key] < self._each and key not in self._waiting:
            self._take(key)
        else:
            await self._wait(key)
        return _Release(self, key)

    def release(self, key: str) -> None:
        """Take a slot back, and give it to the key that has waited longest for its turn."""
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        while (waiting := next((key for key in self._waiting if self._held[key] < self._each), None)) is not None:
            turns = self._waiting.pop(waiting)
            turn = turns.popleft()
            if turns:
                self._waiting[waiting] = turns  # now the last
            if not turn.done():  # cancelled, and its caller does not run before this ends
                self._take(waiting)
                turn.set_result(None)
                return

    def _take(self, key: str) -> None:
        self._free -= 1
        self._held[key] += 1

    async def _wait(self, key: str) -> None:
        turns = self._waiting.setdefault(key, deque())
        if len(turns) >= self._queue:
            raise NoSlotError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turns.append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except TimeoutError:
            self._leave(key, turn)
            raise NoSlotError from None
        except asyncio.CancelledError:
            self._leave(key, turn)
            raise

    def _leave(self, key: str, turn: asyncio.Future[None]) -> None:
        """Give up waiting, or the slot that was given meanwhile."""
        if not turn.cancelled():
            self.release(key)
            return
        turns = self._waiting.get(key)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[key]


class _Release:
    """The release of one slot; further calls have no effect."""

    __slots__ = ("_key", "_slots")

    def __init__(self, slots: FairSlots, key: str) -> None:
        self._slots: FairSlots | None = slots
        self._key = key

    def __call__(self) -> None:
        if self._slots is not None:
            self._slots.release(self._key)
            self._slots = None
