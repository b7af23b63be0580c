"""Fan-out in one conversation with a thousand sockets: deliveries per second, and the latency of the slowest.

In the burst a fixed number of messages is in flight: the next is sent when one has reached every socket, so no queue
grows. The reference is a bare picows loop, which only writes one frame to every socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from picows import WSFrame

from bench.crowds import Crowd, is_ack, loop
from bench.measures import Plan, Row
from bench.population import HALL
from bench.processes import Failed, Server
from bench.rows.sockets import send_frame
from bench.stage import Stage

SENDERS = 10
"""Sockets that send in turn: one socket may send 50 frames a second."""

UNDER_WAY = 16
CALM_GAP = 0.2
PATIENCE = 20.0


class Audience:
    """The sockets of all the hall's users on one server; the first `SENDERS` of them also send."""

    def __init__(self, server: Server) -> None:
        self.crowd = Crowd(server.port)
        self.heard = 0
        self.sent = 0
        self._moments: list[float] = []
        self._full = 0
        self._arrived = asyncio.Event()

    @property
    def size(self) -> int:
        return len(self.crowd.ears)

    async def gather(self, stage: Stage) -> None:
        tokens = [stage.token(number) for number in range(stage.scale.ring)]
        await self.crowd.open(tokens[:SENDERS], self._hear_as_sender)
        await self.crowd.open(tokens[SENDERS:], self._hear)

    async def burst(self, seconds: float) -> float:
        """Sends at full rate and returns deliveries/s."""
        self.heard = self.sent = 0
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            while self.sent * self.size - self.heard < UNDER_WAY * self.size:
                self._send()
            await self._until(self.heard + self.size)
        heard, took = self.heard, time.perf_counter() - began
        await self._until(self.sent * self.size)
        return heard / took

    async def calm(self, seconds: float) -> list[float]:
        """Sends five messages a second. Returns the milliseconds from each send to each delivery, ascending."""
        times: list[float] = []
        for _ in range(max(1, round(seconds / CALM_GAP))):
            self.heard = self.sent = 0
            self._moments = []
            began = time.perf_counter()
            self._send()
            await self._until(self.size)
            times += [1_000 * (moment - began) for moment in self._moments]
            await asyncio.sleep(max(0.0, CALM_GAP - (time.perf_counter() - began)))
        return sorted(times)

    async def _until(self, heard: int) -> None:
        self._full = heard
        self._arrived.clear()
        if self.heard >= heard:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._arrived.wait()
        except TimeoutError:
            self.crowd.require()
            raise Failed(f"{self.heard} of {heard} deliveries came within {PATIENCE:.0f} s.") from None

    def _hear(self, _frame: WSFrame) -> None:
        self.heard += 1
        self._moments.append(time.perf_counter())
        if self.heard >= self._full:
            self._arrived.set()

    def _hear_as_sender(self, frame: WSFrame) -> None:
        if not is_ack(frame):
            self._hear(frame)

    def _send(self) -> None:
        self.crowd.ears[self.sent % SENDERS].say(send_frame(HALL))
        self.sent += 1


@contextmanager
def fanout_1000(stage: Stage) -> Iterator[Plan]:
    with loop() as runner:
        ours, bare = Audience(stage.api), Audience(stage.reference("bare_sockets"))

        def burst(seconds: float) -> float:
            return runner.run(ours.burst(seconds))

        def after() -> list[Row]:
            late, alone = runner.run(ours.calm(stage.pace.calm)), runner.run(bare.calm(stage.pace.calm))
            return [Row("fanout_p99_ms", _p99(late), "ms", {"picows_alone": _p99(alone)})]

        runner.run(ours.gather(stage))
        runner.run(bare.gather(stage))
        yield Plan(
            "deliveries/s",
            {"burst": burst},
            {"picows_alone": lambda seconds: runner.run(bare.burst(seconds))},
            after=after,
        )
        runner.run(ours.crowd.leave())
        runner.run(bare.crowd.leave())


def _p99(ascending: list[float]) -> float:
    return ascending[len(ascending) * 99 // 100]
