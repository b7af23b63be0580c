"""Group commit as a thing of its own: calls that arrive while a flight is in the air share the next one.

An idle process adds no delay, a busy one shares the cost. The queue is bounded: beyond it callers are refused. A caller
that gives up cancels nothing: what was queued flies. Each flight has the deadlines of what it calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

from app.domain.errors import Unavailable

FEW = 24
"""Not worth dividing: what a flight costs whatever it carries would be paid twice."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """`fly` takes at most `largest` items and returns one answer (or exception, to be raised) for each, in order."""

    def __init__(
        self,
        fly: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        largest: int,
        waiting: int,
        flights: int = 1,
    ) -> None:
        self._fly = fly
        self._largest = largest
        self._most = waiting
        self._flights = flights
        self._queue: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._in_air: set[asyncio.Task[None]] = set()

    async def call(self, item: Item) -> Answer:
        """Queue `item` and wait for its answer.

        Raises:
            Unavailable: too many are waiting.
        """
        return await self.ask(item)

    def ask(self, item: Item) -> asyncio.Future[Answer]:
        """Queue `item`; the answer is to come. Who does not wait for it cancels it.

        Raises:
            Unavailable: too many are waiting.
        """
        self.check()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((item, answer))
        if len(self._in_air) < self._flights:
            self._launch()
        return answer

    def check(self) -> None:
        """Raises Unavailable when too many are waiting."""
        if len(self._queue) >= self._most:
            raise Unavailable("overloaded", "Too much is waiting to be done: try again.")

    def _launch(self) -> None:
        task = asyncio.create_task(self._run())
        self._in_air.add(task)
        task.add_done_callback(self._in_air.discard)

    async def _run(self) -> None:
        while self._queue:
            flight = [self._queue.popleft() for _ in range(self._share())]
            try:
                answers = await self._fly([item for item, _ in flight])
            except Exception as error:  # noqa: BLE001 - each waiting caller is told; nobody waits for ever
                answers = [error] * len(flight)
            for (_, waiting), answer in zip(flight, answers, strict=True):
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        # In the step that found the queue empty, not a step later: a call in between would wait for nobody.
        self._in_air.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _share(self) -> int:
        """How many fly next: of a long queue each flight takes its part. Who took all would keep the others empty, and
        with everybody aboard nothing is prepared while the flight waits for its answer."""
        waiting = len(self._queue)
        return min(waiting, self._largest, max(FEW, -(-waiting // self._flights)))

    async def drain(self) -> None:
        """Wait until nothing is queued or in the air."""
        while self._in_air:
            await asyncio.wait(set(self._in_air))


async def beside(admission: Awaitable[None], asked: asyncio.Future[Answer]) -> Answer:
    """What was asked, once admitted: who is not does not wait for it."""
    try:
        await admission
    except BaseException:
        asked.cancel()
        raise
    return await asked
