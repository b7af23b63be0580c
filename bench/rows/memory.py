"""Ten thousand sockets with 20 conversations each in a fresh process: memory per socket, and one message to all."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from picows import WSFrame

from bench.crowds import Crowd, loop
from bench.measures import Plan, Row
from bench.population import HALL
from bench.processes import Failed, Server
from bench.rows.sockets import send_frame
from bench.stage import Stage

SOCKETS = 10_000
EACH = 10
"""Sockets per user."""

SPARE_FILES = 200
FIRST_WAVE = 50
PATIENCE = 60.0


@contextmanager
def socket_kb(stage: Stage) -> Iterator[Plan]:
    wanted = min(SOCKETS, stage.scale.ring * EACH)
    _allow_files(wanted + SPARE_FILES)
    # A fresh process: memory left over from other rows must not count as the sockets'.
    with stage.another_api() as server, loop() as runner:
        crowd = _Crowd(server, wanted)

        def measure(_seconds: float) -> float:
            return runner.run(crowd.fill(stage))

        yield Plan("KB", {"idle socket": measure}, least=False, once=True, after=lambda: runner.run(crowd.use()))
        runner.run(crowd.crowd.leave())


class _Crowd:
    def __init__(self, server: Server, wanted: int) -> None:
        self.crowd = Crowd(server.port)
        self._process = psutil.Process(server.process.pid)
        self._wanted = wanted
        self._heard = 0
        self._took = 0.0

    async def fill(self, stage: Stage) -> float:
        """Opens all sockets. Returns KB per socket, from the growth of the process."""
        tokens = [stage.token(number % stage.scale.ring) for number in range(self._wanted)]
        # The first sockets load code and fill pools that all later ones share.
        await self.crowd.open(tokens[:FIRST_WAVE], self._hear)
        await asyncio.sleep(stage.pace.settle)
        before, began = self._memory(), time.perf_counter()
        await self.crowd.open(tokens[FIRST_WAVE:], self._hear)
        self._took = time.perf_counter() - began
        await asyncio.sleep(stage.pace.settle)
        self.crowd.require()
        return (self._memory() - before) / 1024 / (self._wanted - FIRST_WAVE)

    async def use(self) -> list[Row]:
        """Measures the memory of the process, the connection rate, and the time of one message to all sockets."""
        megabytes = self._memory() / 1024**2
        self._heard, began = 0, time.perf_counter()
        self.crowd.ears[0].say(send_frame(HALL))
        while self._heard < self._wanted + 1:  # each socket receives the message, and the sender also its ack
            if time.perf_counter() > began + PATIENCE:
                raise Failed(f"{self._heard} of {self._wanted} sockets heard the message.")
            await asyncio.sleep(0.001)
        rate = (self._wanted - FIRST_WAVE) / self._took
        return [
            Row("sockets_10000_mb", megabytes, "MB"),
            Row("sockets_10000_connects", rate, "hellos/s"),
            Row("sockets_10000_message_ms", 1_000 * (time.perf_counter() - began), "ms"),
        ]

    def _hear(self, _frame: WSFrame) -> None:
        self._heard += 1

    def _memory(self) -> int:
        return int(self._process.memory_info().rss)


def _allow_files(wanted: int) -> None:
    """Raises the limit of open files for the bench and, by inheritance, the server. Raises Failed if the system
    allows fewer than `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failed(f"This system allows {hard} open files, {wanted} are needed: raise the limit (ulimit -Hn).")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
