"""Slots by turns: shares, turns, limits of waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bridge.fair_slots import FairSlots, NoSlotError


class Callers:
    """Callers that wait for slots, and the order in which they get them."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self.served: list[str] = []
        self.releases: dict[str, Callable[[], None]] = {}

    async def call(self, *names: str) -> list[asyncio.Task[None]]:
        """Let each wait for a slot; the first letter is the key."""
        tasks = [asyncio.create_task(self._acquire(name)) for name in names]
        await settle()
        return tasks

    async def _acquire(self, name: str) -> None:
        self.releases[name] = await self.slots.acquire(name[0])
        self.served.append(name)

    async def release(self, *names: str) -> None:
        for name in names:
            self.releases[name]()
            await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(scenario: Callable[[Callers], Awaitable[None]], *, total: int, each: int, seconds: float = 9) -> list[str]:
    """Return the names in the order of their slots."""

    async def play() -> list[str]:
        callers = Callers(FairSlots(total, each=each, queue=5, seconds=seconds))
        await scenario(callers)
        return callers.served

    return asyncio.run(play())


def test_key_holds_its_share_only() -> None:
    async def scenario(callers: Callers) -> None:
        await callers.call("a1", "a2", "a3", "b1")

    assert run(scenario, total=9, each=2) == ["a1", "a2", "b1"]


def test_waiting_keys_take_turns() -> None:
    async def scenario(callers: Callers) -> None:
        await callers.call("a1", "a2", "a3", "a4", "b1", "c1", "b2")
        await callers.release("a1", "a2", "b1", "c1", "a3", "b2")

    assert run(scenario, total=1, each=1) == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


def test_key_at_its_share_does_not_block_others() -> None:
    async def scenario(callers: Callers) -> None:
        await callers.call("a1", "b1", "a2", "c1")
        await callers.release("b1")

    assert run(scenario, total=2, each=1) == ["a1", "b1", "c1"]


def test_slot_is_released_once() -> None:
    async def scenario(callers: Callers) -> None:
        await callers.call("a1", "a2", "a3")
        await callers.release("a1", "a1")

    assert run(scenario, total=1, each=1) == ["a1", "a2"]


def test_waiting_is_limited_in_number() -> None:
    async def scenario(callers: Callers) -> None:
        tasks = await callers.call(*(f"a{number}" for number in range(7)), "b1")
        assert isinstance(tasks[6].exception(), NoSlotError)
        assert not tasks[7].done()

    assert run(scenario, total=1, each=1) == ["a0"]


def test_waiting_is_limited_in_time() -> None:
    async def scenario(callers: Callers) -> None:
        tasks = await callers.call("a1", "a2", "a3")
        with pytest.raises(NoSlotError):
            await tasks[2]
        await callers.call("a4")
        await callers.release("a1")

    assert run(scenario, total=1, each=1, seconds=0.01) == ["a1", "a4"]


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_cancelled_caller_passes_its_turn_on(cancelled_first: bool) -> None:
    """The caller runs only after both events."""

    async def scenario(callers: Callers) -> None:
        tasks = await callers.call("a1", "a2", "a3")
        for act in (tasks[1].cancel, callers.releases["a1"])[:: 1 if cancelled_first else -1]:
            act()
        await settle()

    assert run(scenario, total=1, each=1) == ["a1", "a3"]
