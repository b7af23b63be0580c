"""Group commit, generalized: calls that arrive while a batch runs share the next batch.

An idle process adds no delay; a busy one shares the cost. The queue is bounded: callers beyond the bound are refused. A
caller that gives up cancels nothing: queued items still run. A batch has the deadlines of the functions it calls.
`max_wait` also bounds the time in the queue: if no batch takes longer, no caller waits twice as long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Generic, TypeVar, cast

from app.domain.error_catalogue import overloaded

SMALL_BATCH = 24
"""Batches up to this size are not split: the fixed cost of a batch would be paid twice."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """`run` takes at most `max_batch` items and returns one answer (or exception, to be raised) for each, in order.

    An item that has waited longer than `max_wait` seconds when the next batch starts is refused and never runs.
    At most `max_waiting` items are queued, and `concurrency` batches run at once.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        max_batch: int,
        max_waiting: int,
        concurrency: int = 1,
        max_wait: float = inf,
    ) -> None:
        self._run_batch = run
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._concurrency = concurrency
        self._max_wait = max_wait
        self._queue: deque[tuple[Item, asyncio.Future[Answer], float]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def call(self, item: Item) -> Answer:
        """Queues `item` and returns its answer.

        Raises:
            Unavailable: the queue is full, or the item waited too long.
        """
        return await self.submit(item)

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        """Queues `item` and returns a future. The caller must await the future or cancel it.

        Raises:
            Unavailable: the queue is full.
        """
        self.ensure_capacity()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue.append((item, answer, loop.time()))
        if len(self._running) < self._concurrency:
            self._start_batches()
        return answer

    def ensure_capacity(self) -> None:
        """Raises Unavailable if the queue is full."""
        if len(self._queue) >= self._max_waiting:
            raise overloaded()

    def _start_batches(self) -> None:
        task = asyncio.create_task(self._run_batches())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run_batches(self) -> None:
        while self._queue:
            self._refuse_expired()
            if not (batch := [self._queue.popleft() for _ in range(self._next_batch_size())]):
                break
            try:
                answers = await self._run_batch([item for item, _, _ in batch])
            except Exception as error:  # noqa: BLE001 - every waiting caller receives it; none hangs
                answers = [error] * len(batch)
            for (_, waiting, _), answer in zip(batch, answers, strict=True):
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        # In the same event-loop step that found the queue empty: a call queued in between would never run.
        self._running.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _refuse_expired(self) -> None:
        earliest = asyncio.get_running_loop().time() - self._max_wait
        while self._queue and self._queue[0][2] < earliest:
            _, waiting, _ = self._queue.popleft()
            if not waiting.done():
                waiting.set_exception(overloaded())

    def _next_batch_size(self) -> int:
        """Returns the size of the next batch. Concurrent batches split a long queue, so that one can prepare while
        another waits for its answer."""
        waiting = len(self._queue)
        return min(waiting, self._max_batch, max(SMALL_BATCH, -(-waiting // self._concurrency)))

    async def drain(self) -> None:
        """Waits until nothing is queued or running."""
        while self._running:
            await asyncio.wait(set(self._running))


async def run_beside(admission: Awaitable[None], query: asyncio.Future[Answer]) -> Answer:
    """Awaits `admission`, then returns the result of `query`. If `admission` raises, cancels `query` and re-raises."""
    try:
        await admission
    except BaseException:
        query.cancel()
        raise
    return await query
