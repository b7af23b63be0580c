"""Sockets: sends over them, delivery from one to another, and connecting up to `hello`."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from picows import WSFrame

from bench.crowds import Crowd, Ear, is_ack, loop, unheard
from bench.measures import Plan
from bench.population import TEXT, desk
from bench.processes import Failed
from bench.stage import Stage

CONNECTING = 16
GAP = 0.04
"""Seconds between two sends to an idle server: far longer than either takes."""

_numbers = itertools.count(time.time_ns())


def send_frame(conversation: UUID) -> bytes:
    return b'{"type":"send","ref":1,"conversation":"%b","message_type":"text","text":"%b","client_id":"socket-%d"}' % (
        str(conversation).encode(),
        TEXT.format("new").encode(),
        next(_numbers),
    )


class Talker:
    """Sends the next message on every ack while `talking`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.acked = 0
        self.talking = False
        self.ear: Ear | None = None

    def heard(self, frame: WSFrame) -> None:
        # Besides its acks it receives its own messages, as the sender's other devices do.
        if is_ack(frame):
            self.acked += 1
            if self.talking:
                self.talk()

    def talk(self) -> None:
        assert self.ear is not None
        self.ear.say(send_frame(desk(self.number)))


@contextmanager
def socket_send_64(stage: Stage) -> Iterator[Plan]:
    talkers = [Talker(number) for number in range(stage.scale.desks)]
    with loop() as runner:
        crowd = Crowd(stage.api.port)

        async def enter(one: Talker) -> None:
            token = stage.token(stage.people.colleagues(one.number)[0])
            [one.ear] = await crowd.open([token], one.heard)

        async def talk(seconds: float) -> float:
            before, began = sum(one.acked for one in talkers), time.perf_counter()
            for one in talkers:
                one.talking = True
                one.talk()
            await asyncio.sleep(seconds)
            acked, took = sum(one.acked for one in talkers) - before, time.perf_counter() - began
            for one in talkers:
                one.talking = False
            await asyncio.sleep(0.3)
            crowd.require()
            if not acked:
                raise Failed("No send was acknowledged.")
            return acked / took

        for one in talkers:
            runner.run(enter(one))
        yield Plan("sends/s", {"socket": lambda seconds: runner.run(talk(seconds))})
        runner.run(crowd.leave())


@contextmanager
def delivery_p50_ms(stage: Stage) -> Iterator[Plan]:
    with loop() as runner:
        crowd = Crowd(stage.api.port)
        times: list[float] = []
        sent = 0.0

        def heard(_frame: WSFrame) -> None:
            times.append(time.perf_counter() - sent)

        async def converse(seconds: float) -> float:
            nonlocal sent
            times.clear()
            ends, wanted = time.perf_counter() + seconds, 0
            while time.perf_counter() < ends:
                sent, wanted = time.perf_counter(), wanted + 1
                sender.say(send_frame(desk(0)))
                await asyncio.sleep(GAP)
            await asyncio.sleep(1.0 if len(times) < wanted else 0.0)
            crowd.require()
            if len(times) != wanted:
                raise Failed(f"{wanted} messages were sent, {len(times)} heard.")
            return statistics.median(times) * 1_000

        by, to, *_ = stage.people.colleagues(0)
        [sender] = runner.run(crowd.open([stage.token(by)], unheard))
        runner.run(crowd.open([stage.token(to)], heard))
        yield Plan("ms", {"socket to socket": lambda seconds: runner.run(converse(seconds))}, least=False)
        runner.run(crowd.leave())


@contextmanager
def hello_20(stage: Stage) -> Iterator[Plan]:
    tokens = itertools.cycle([stage.token(number) for number in range(stage.scale.ring)])
    with loop() as runner:

        async def come_and_go(ends: float) -> int:
            greeted = 0
            while time.perf_counter() < ends:
                ear = await Crowd(stage.api.port).enter(next(tokens), unheard)
                ear.leave()
                greeted += 1
            return greeted

        async def connect(seconds: float) -> float:
            began = time.perf_counter()
            greeted = await asyncio.gather(*(come_and_go(began + seconds) for _ in range(CONNECTING)))
            return sum(greeted) / (time.perf_counter() - began)

        yield Plan("hellos/s", {"connect to hello": lambda seconds: runner.run(connect(seconds))})
