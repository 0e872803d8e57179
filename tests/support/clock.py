"""A clock that tests set and advance."""

from __future__ import annotations


class Clock:
    """A callable that returns the time in `now`, in seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
