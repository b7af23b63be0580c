"""Group commit as a thing of its own: calls that arrive while a flight is in the air share the next one.

An idle process adds no delay, a busy one shares the cost. The queue is bounded: beyond it callers are refused. A caller
that gives up cancels nothing: what was queued flies. Each flight has the deadlines of what it calls. With `patience`
the queue is bounded in time too: where no flight lasts longer than that, no caller waits in it for twice as long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Generic, TypeVar, cast

from app.domain.errors import Unavailable

SMALL_BATCH = 24
"""Not worth dividing: what a flight costs whatever it carries would be paid twice."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """`fly` takes at most `largest` items and returns one answer (or exception, to be raised) for each, in order.

    An item that has waited for `patience` seconds when the next flight leaves is refused, and never flies.
    """

    def __init__(
        self,
        fly: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        largest: int,
        waiting: int,
        flights: int = 1,
        patience: float = inf,
    ) -> None:
        self._fly = fly
        self._largest = largest
        self._most = waiting
        self._flights = flights
        self._patience = patience
        self._queue: deque[tuple[Item, asyncio.Future[Answer], float]] = deque()
        self._in_air: set[asyncio.Task[None]] = set()

    async def call(self, item: Item) -> Answer:
        """Queue `item` and wait for its answer.

        Raises:
            Unavailable: too many are waiting, or it waited too long.
        """
        return await self.ask(item)

    def ask(self, item: Item) -> asyncio.Future[Answer]:
        """Queue `item`; the answer is to come. Who does not wait for it cancels it.

        Raises:
            Unavailable: too many are waiting.
        """
        self.check()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue.append((item, answer, loop.time()))
        if len(self._in_air) < self._flights:
            self._launch()
        return answer

    def check(self) -> None:
        """Raises Unavailable when too many are waiting."""
        if len(self._queue) >= self._most:
            raise _overloaded()

    def _launch(self) -> None:
        task = asyncio.create_task(self._run())
        self._in_air.add(task)
        task.add_done_callback(self._in_air.discard)

    async def _run(self) -> None:
        while self._queue:
            self._refuse_the_late()
            if not (flight := [self._queue.popleft() for _ in range(self._share())]):
                break
            try:
                answers = await self._fly([item for item, _, _ in flight])
            except Exception as error:  # noqa: BLE001 - each waiting caller is told; nobody waits for ever
                answers = [error] * len(flight)
            for (_, waiting, _), answer in zip(flight, answers, strict=True):
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        # In the step that found the queue empty, not a step later: a call in between would wait for nobody.
        self._in_air.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _refuse_the_late(self) -> None:
        earliest = asyncio.get_running_loop().time() - self._patience
        while self._queue and self._queue[0][2] < earliest:
            _, waiting, _ = self._queue.popleft()
            if not waiting.done():
                waiting.set_exception(_overloaded())

    def _share(self) -> int:
        """How many fly next: of a long queue each flight takes its part. Who took all would keep the others empty, and
        with everybody aboard nothing is prepared while the flight waits for its answer."""
        waiting = len(self._queue)
        return min(waiting, self._largest, max(SMALL_BATCH, -(-waiting // self._flights)))

    async def drain(self) -> None:
        """Wait until nothing is queued or in the air."""
        while self._in_air:
            await asyncio.wait(set(self._in_air))


def _overloaded() -> Unavailable:
    return Unavailable("overloaded", "Too much is waiting to be done: try again.")


async def run_beside(admission: Awaitable[None], asked: asyncio.Future[Answer]) -> Answer:
    """What was asked, once admitted: who is not does not wait for it."""
    try:
        await admission
    except BaseException:
        asked.cancel()
        raise
    return await asked
