"""Batches: waiting callers share the next one, a long queue is divided, a full one refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.batching import SMALL_BATCH, Batcher
from app.domain.errors import Unavailable


class Airline:
    """Batches that finish when the test lets them, and the items they contained."""

    def __init__(self) -> None:
        self.carried: list[list[int]] = []
        self.landing = asyncio.Event()

    async def fly(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.carried.append(list(items))
        await self.landing.wait()
        return [ValueError(str(one)) if one < 0 else 2 * one for one in items]


async def test_calls_during_a_running_batch_share_the_next_one() -> None:
    airline = Airline()
    batcher = Batcher(airline.fly, max_batch=100, max_waiting=100)
    answers = [batcher.submit(0)]
    await asyncio.sleep(0)
    answers += [batcher.submit(item) for item in (1, -2, 3)]
    airline.landing.set()
    received = await asyncio.gather(*answers, return_exceptions=True)
    assert airline.carried == [[0], [1, -2, 3]]
    assert [str(one) for one in received] == ["0", "2", "-2", "6"]


@pytest.mark.parametrize(
    ("waiting", "concurrency", "carried"),
    [
        (SMALL_BATCH, 2, [SMALL_BATCH]),
        (100, 2, [50, 25, 24, 1]),
        (1_000, 2, [128] * 6 + [116, 58, 29, 24, 5]),
        (100, 1, [100]),
    ],
)
async def test_a_long_queue_is_divided(waiting: int, concurrency: int, carried: list[int]) -> None:
    airline = Airline()
    batcher = Batcher(airline.fly, max_batch=128, max_waiting=1_000, concurrency=concurrency)
    airline.landing.set()
    # All of them wait before the first flight begins.
    assert await asyncio.gather(*[batcher.submit(item) for item in range(waiting)]) == [2 * n for n in range(waiting)]
    assert [len(one) for one in airline.carried] == carried


async def test_concurrent_batches_are_bounded() -> None:
    airline = Airline()
    batcher = Batcher(airline.fly, max_batch=10, max_waiting=100, concurrency=2)
    answers = []
    for item in range(3):
        answers.append(batcher.submit(item))
        await asyncio.sleep(0)
    assert airline.carried == [[0], [1]]
    airline.landing.set()
    assert await asyncio.gather(*answers) == [0, 2, 4]


async def test_a_full_queue_refuses() -> None:
    airline = Airline()
    batcher = Batcher(airline.fly, max_batch=10, max_waiting=2)
    answers = [batcher.submit(0), batcher.submit(1)]
    with pytest.raises(Unavailable):
        batcher.ensure_capacity()
    with pytest.raises(Unavailable):
        batcher.submit(2)
    airline.landing.set()
    assert await asyncio.gather(*answers) == [0, 2]
    batcher.ensure_capacity()


async def test_a_call_that_waited_too_long_is_refused_and_never_runs() -> None:
    airline = Airline()
    batcher = Batcher(airline.fly, max_batch=1, max_waiting=100, max_wait=0.1)
    answers = [batcher.submit(item) for item in (1, 2, 3)]
    await asyncio.sleep(0.2)
    late = batcher.submit(4)
    airline.landing.set()
    received = await asyncio.gather(*answers, late, return_exceptions=True)
    assert airline.carried == [[1], [4]]
    assert [one.code if isinstance(one, Unavailable) else one for one in received] == [2, "overloaded", "overloaded", 8]
    await batcher.drain()
    airline.landing.clear()
    again = [batcher.submit(item) for item in (5, 6)]
    await asyncio.sleep(0.2)
    airline.landing.set()
    received = await asyncio.gather(*again, return_exceptions=True)
    assert [one.code if isinstance(one, Unavailable) else one for one in received] == [10, "overloaded"]
    assert await batcher.submit(7) == 14
