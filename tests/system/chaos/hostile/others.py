"""People who write 100 messages a second to each other, without a pause; how late each was at each of them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx
import msgspec
from picows import WSFrame

from tests.support.client import Person
from tests.system.chaos.latency import MARK, PADDING

PAUSE: Final = 0.01
BIN_SECONDS: Final = 0.5
STAMP: Final = 24


class Span(msgspec.Struct, kw_only=True):
    """Of the messages of some seconds: p99 in milliseconds, deliveries that were due and that came, and refusals."""

    p99: float
    due: int
    came: int
    failed: Counter[str]

    def missing(self) -> list[str]:
        found = [f"{count} sends of the others: {what}" for what, count in self.failed.items()]
        return found if self.came >= self.due else [*found, f"{self.due - self.came} of {self.due} deliveries missing"]


class Others:
    """`people` send in turns to `conversation`, which all of them hear."""

    def __init__(self, people: Sequence[Person], conversation: str) -> None:
        self._people, self._conversation = people, conversation
        self._came: list[tuple[float, float]] = []
        """(when it was sent, after how many milliseconds it was there)"""
        self._sent: list[float] = []
        self._failed: list[tuple[float, str]] = []

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """For as long as the context lasts."""
        task = asyncio.create_task(self._write())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def heard(self, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        place = data.find(MARK)
        if place >= 0:
            start = place + len(MARK)
            sent = float(data[start : start + STAMP].split(b" ", 1)[0])
            self._came.append((sent, (time.monotonic() - sent) * 1_000))

    def forget(self) -> None:
        self._came.clear()
        self._sent.clear()
        self._failed.clear()

    def span(self, start: float, end: float) -> Span:
        """Of the messages that were sent from `start` until `end`."""
        lags = sorted(lag for sent, lag in self._came if start <= sent < end)
        failed = Counter(why for sent, why in self._failed if start <= sent < end)
        due = (sum(start <= sent < end for sent in self._sent) - failed.total()) * len(self._people)
        return Span(p99=_p99(lags), due=due, came=len(lags), failed=failed)

    def slow_until(self, start: float, end: float, bound: float) -> float:
        """How many seconds after `start` the last half second ended whose p99 was above `bound`."""
        bins = int((end - start) / BIN_SECONDS)
        slow = [
            at
            for at in range(bins)
            if _p99(sorted(lag for sent, lag in self._came if at <= (sent - start) / BIN_SECONDS < at + 1)) > bound
        ]
        return (max(slow) + 1) * BIN_SECONDS if slow else 0.0

    async def _write(self) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as sending:
            for person in itertools.cycle(self._people):
                sending.create_task(self._send(person))
                due += PAUSE
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _send(self, person: Person) -> None:
        sent = time.monotonic()
        stamp = f"{sent:.6f}"
        self._sent.append(float(stamp))
        try:
            answer = await person.say(self._conversation, f"at {stamp}{PADDING}")
            why = "" if answer.status == 201 else str(answer.status)
        except httpx.HTTPError as error:
            why = type(error).__name__
        if why:
            self._failed.append((float(stamp), why))


def _p99(ascending: Sequence[float]) -> float:
    """Infinite without any."""
    return ascending[int(len(ascending) * 0.99)] if ascending else float("inf")
