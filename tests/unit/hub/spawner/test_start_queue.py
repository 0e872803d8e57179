"""The start queue: capacity, order and the reported place."""

from __future__ import annotations

import asyncio

import pytest

from hub.spawner import start_queue
from hub.spawner.start_queue import SpawnQueue


def ignore(_: int) -> None:
    pass


async def start(queue: SpawnQueue, done: list[int], name: int, *, places: list[int] | None = None) -> None:
    async with queue.slot(ignore if places is None else places.append):
        await asyncio.sleep(0.01)
        done.append(name)


def test_queue_limits_starts_and_keeps_order() -> None:
    running = most = 0
    order = []

    async def one(queue: SpawnQueue, name: int) -> None:
        nonlocal running, most
        async with queue.slot(ignore):
            order.append(name)
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    async def start_all() -> None:
        queue = SpawnQueue(3)
        await asyncio.gather(*(one(queue, name) for name in range(50)))

    asyncio.run(start_all())
    assert most == 3
    assert order == list(range(50))


def test_each_new_place_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_queue, "POLL_INTERVAL", 0.004)
    done: list[int] = []
    places: list[int] = []

    async def start_all() -> None:
        queue = SpawnQueue(1)
        before = [start(queue, done, name) for name in range(3)]
        await asyncio.gather(*before, start(queue, done, 3, places=places))

    asyncio.run(start_all())
    assert places[0] == 3
    assert places[-1] == 1
    assert places == sorted(set(places), reverse=True)


def test_cancelled_starts_leave_queue() -> None:
    done: list[int] = []

    async def start_all() -> None:
        queue = SpawnQueue(1)
        tasks = [asyncio.create_task(start(queue, done, name)) for name in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(asyncio.wait_for(start_all(), 5))
    assert done == [0, 3]


def test_slot_of_cancelled_start_goes_to_next() -> None:
    done: list[int] = []

    async def start_all() -> None:
        queue = SpawnQueue(1)
        async with queue.slot(ignore):
            waiting = asyncio.create_task(start(queue, done, 1))
            last = asyncio.create_task(start(queue, done, 2))
            await asyncio.sleep(0)
        waiting.cancel()  # it has a slot already, but has not resumed yet
        await asyncio.gather(waiting, last, return_exceptions=True)

    asyncio.run(asyncio.wait_for(start_all(), 5))
    assert done == [2]


def test_failed_start_releases_slot() -> None:
    done: list[int] = []

    async def fails(queue: SpawnQueue) -> None:
        async with queue.slot(ignore):
            raise ValueError

    async def start_all() -> None:
        queue = SpawnQueue(1)
        await asyncio.gather(fails(queue), start(queue, done, 1), return_exceptions=True)

    asyncio.run(asyncio.wait_for(start_all(), 5))
    assert done == [1]
