"""Many labs that start at once take turns."""

from __future__ import annotations

import asyncio

import pytest

from hub.spawner import start_queue
from hub.spawner.start_queue import SpawnQueue


def nothing(_: int) -> None:
    pass


async def starts(queue: SpawnQueue, done: list[int], name: int, *, places: list[int] | None = None) -> None:
    async with queue.turn(nothing if places is None else places.append):
        await asyncio.sleep(0.01)
        done.append(name)


def test_no_more_than_that_many_are_under_way_and_nobody_overtakes() -> None:
    under_way = most = 0
    order = []

    async def one(queue: SpawnQueue, name: int) -> None:
        nonlocal under_way, most
        async with queue.turn(nothing):
            order.append(name)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    async def everybody() -> None:
        queue = SpawnQueue(3)
        await asyncio.gather(*(one(queue, name) for name in range(50)))

    asyncio.run(everybody())
    assert most == 3
    assert order == list(range(50))


def test_who_waits_is_told_each_new_place_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_queue, "TELL_AGAIN_AFTER", 0.004)
    done: list[int] = []
    places: list[int] = []

    async def everybody() -> None:
        queue = SpawnQueue(1)
        before = [starts(queue, done, name) for name in range(3)]
        await asyncio.gather(*before, starts(queue, done, 3, places=places))

    asyncio.run(everybody())
    assert places[0] == 3
    assert places[-1] == 1
    assert places == sorted(set(places), reverse=True)


def test_who_goes_while_waiting_leaves_no_gap() -> None:
    done: list[int] = []

    async def everybody() -> None:
        queue = SpawnQueue(1)
        tasks = [asyncio.create_task(starts(queue, done, name)) for name in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(asyncio.wait_for(everybody(), 5))
    assert done == [0, 3]


def test_a_turn_that_comes_to_somebody_who_just_went_goes_to_the_next() -> None:
    done: list[int] = []

    async def everybody() -> None:
        queue = SpawnQueue(1)
        async with queue.turn(nothing):
            waiting = asyncio.create_task(starts(queue, done, 1))
            last = asyncio.create_task(starts(queue, done, 2))
            await asyncio.sleep(0)
        waiting.cancel()  # its turn has come, and it has not noticed yet
        await asyncio.gather(waiting, last, return_exceptions=True)

    asyncio.run(asyncio.wait_for(everybody(), 5))
    assert done == [2]


def test_a_start_that_fails_passes_its_turn_on() -> None:
    done: list[int] = []

    async def fails(queue: SpawnQueue) -> None:
        async with queue.turn(nothing):
            raise ValueError

    async def everybody() -> None:
        queue = SpawnQueue(1)
        await asyncio.gather(fails(queue), starts(queue, done, 1), return_exceptions=True)

    asyncio.run(asyncio.wait_for(everybody(), 5))
    assert done == [1]
