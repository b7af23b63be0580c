"""One run: people who write, read, come and go; faults, one after the other; at the end everything is judged."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.support.client import Person
from tests.system.chaos.bounds import (
    ABSENT,
    BACK_SECONDS,
    CONVERGED_SECONDS,
    DELIVERED_SECONDS,
    FAULT_SECONDS,
    RATE,
    SETTLE_SECONDS,
)
from tests.system.chaos.checks import verdicts
from tests.system.chaos.convergence import late_after_quiet
from tests.system.chaos.faults import Fault, positions
from tests.system.chaos.founders import Founder, Renamer
from tests.system.chaos.probes import Crowd, Probe
from tests.system.chaos.readers import Reader
from tests.system.chaos.record import NOTICED_LAG, Letter, NotFired, Record, Window
from tests.system.chaos.stage import Place, Stage
from tests.system.chaos.togglers import Toggler
from tests.system.chaos.truth import Truth, read_truth
from tests.system.chaos.walkers import Peeker, Walker
from tests.system.chaos.writers import Editor, KeylessWriter, Marker, Writer, say_again

Say = Callable[[str], None]


class Driver:
    """`patience` stretches every bound: 1 on a machine of its own, more where a whole suite runs beside.

    `rate` is what all writers together aim at, in sends a second.
    """

    def __init__(
        self, stage: Stage, seed: int, patience: float, say: Say, *, hurried: bool = False, rate: float = RATE
    ) -> None:
        self.hurried = hurried
        self.rate = rate
        self.stage = stage
        self.dice = random.Random(seed)
        self.record = Record(patience)
        self.say = say
        self.readers: list[Reader] = []
        self.writers: list[Writer] = []
        self.togglers: list[Toggler] = []
        self.people: dict[str, Person] = {}
        self.stable: list[str] = []
        self.absent: list[Person] = []
        """They are notified by mail, and one of them has a socket that it does not read."""
        self.conversations: list[str] = []
        self.direct = ""
        self.pair: tuple[str, ...] = ()
        """Whose the direct conversation is."""
        self.keyless: list[tuple[KeylessWriter, Place]] = []
        """Each in a conversation of its own, to which nothing is done but to send, at one process."""
        self.probe: Probe
        self.crowd: Crowd
        self._racing: Toggler
        self._window: Window | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._stop = asyncio.Event()
        self.truth: Truth | None = None
        self.verdicts: dict[str, list[str]] = {}
        """By checker, once the run is judged; under `driver` what the driver itself saw at the end."""

    def some_place(self) -> Place:
        return self.dice.choice(self.stage.up)

    async def bring_back(self, place: Place) -> None:
        """Starts another process in its place; when hurried, without waiting for it before the next fault."""
        if self.hurried:
            self._start(self.stage.restart(place))
        else:
            await self.stage.restart(place)

    def problem(self, what: str) -> None:
        if self._window is not None:
            self._window.problems.append(what)

    async def set_up(self, crowd: int) -> None:
        """Creates the cast, their conversations, and the activities."""
        first = self.stage.places[0].node
        names = ("Ada", "Grace", "Alan", "Joan", "Linus", "Eve", "Tess", "Rory", "Pat")
        cast = dict(zip(names, await asyncio.gather(*(first.register(name) for name in names)), strict=True))
        self.people = {person.id: person for person in cast.values()}
        ada = cast["Ada"]
        members = [cast[name] for name in names[1:-1]]
        self.conversations = [await ada.converse(*members, is_private=False) for _ in range(4)]
        self.absent = await asyncio.gather(*(first.register(name) for name in ABSENT))
        for one, absent in itertools.product(self.conversations[:2], self.absent):
            await ada.post(f"/conversations/{one}/add_member/", user=absent.id)
        self.probe = Probe(self.stage, self.record, cast["Pat"], await cast["Pat"].converse(*self.absent[:1]))
        self.crowd = Crowd(await asyncio.gather(*(first.register(f"Crowd{at}") for at in range(crowd))))
        for one in self.conversations:
            await ada.post(f"/conversations/{one}/make_admin/", user=cast["Grace"].id)
        self.stable = [cast[name].id for name in names[:4]]
        for at, name in enumerate(("Linus", "Eve", "Tess", "Rory")):
            admin = cast["Grace" if at % 2 else "Ada"]
            self.togglers.append(
                Toggler(self.stage, self.record, admin, cast[name], self.conversations[at], self._own_dice())
            )
        self._racing = self.togglers.pop()
        self.pair = (ada.id, cast["Grace"].id)
        self.direct = (await ada.post("/conversations/", kind="direct", user=cast["Grace"].id))["id"]
        self.conversations.append(self.direct)
        for place in (*self.stage.places, *self.stage.places):
            self.conversations.append(await ada.converse(cast["Grace"]))
            writer = KeylessWriter(self.stage, self.record, ada, self.conversations[-1], self._own_dice())
            self.keyless.append((writer, place))
        for name in ("Ada", "Grace", "Alan", "Joan", "Linus", "Eve", "Tess", "Ada", "Grace"):
            device = f"{name}'s {sum(reader.person is cast[name] for reader in self.readers) + 1}"
            self.readers.append(Reader(cast[name], device, self.stage, self.record, self._own_dice()))
        self._make_writers(cast)

    def _own_dice(self) -> random.Random:
        return random.Random(self.dice.random())

    def _make_writers(self, cast: dict[str, Person]) -> None:
        seats = [(cast[name], one) for one in self.conversations[:3] for name in ("Ada", "Grace", "Alan", "Joan")]
        seats += [(toggler.person, toggler.conversation) for toggler in self.togglers]
        seats += [(cast[name], self.direct) for name in ("Ada", "Grace")]
        for at, (person, conversation) in enumerate(seats):
            writer = Writer(self.stage, self.record, person, conversation, self._own_dice(), self.rate / len(seats))
            if at % 3 == 0:
                writer.socket = next(reader for reader in self.readers if reader.person is person)
            self.writers.append(writer)

    def begin(self) -> None:
        self._start(self._pulse())
        for at, reader in enumerate(self.readers):
            self._start(reader.run(self.stage.places[at % 2]))
        for writer in self.writers:
            self._start(writer.run(self._stop))
        for toggler in self.togglers:
            self._start(toggler.run(self._stop))
        self._start(Editor(self.stage, self.record, self.writers, self._own_dice()).run(self._stop))
        for reader in self.readers[1:5]:
            self._start(Marker(self.stage, self.record, reader, self._own_dice()).run(self._stop))
        for reader, one in zip(self.readers, self.conversations[:3], strict=False):
            self._start(KeylessWriter(self.stage, self.record, reader.person, one, self._own_dice()).run(self._stop))
        ada, grace, alan, joan = (reader.person for reader in self.readers[:4])
        self._start(Founder(self.stage, self.record, ada, [grace, alan], self._own_dice()).run(self._stop))
        self._start(Renamer(self.stage, self.record, joan, self._own_dice()).run(self._stop))
        for _ in range(2):
            walker = Walker(self.stage, self.record, ada, self.conversations[:3], self.stable, self._own_dice())
            self._start(walker.run(self._stop))
        self._start(Peeker(self.stage, self.record, ada, self.conversations[:3]).run(self._stop))

    def _start(self, doing: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(doing))

    async def suffer(self, fault: Fault) -> None:
        """One fault; then, within 5 s, every connected socket has what the database has."""
        if fault.restarts or not self.hurried:
            await self._both()
        self._window = window = Window(fault=fault.name, began=time.monotonic(), redis=fault.redis)
        async with self._bounded(f"the fault '{fault.name}'", fault.seconds):
            await self._suffer(fault, window)
        self.record.windows.append(window)
        self.record.counts[f"fault {fault.name}"] += not any("never fired" in one for one in window.problems)
        for one in window.problems:
            self.say(f"  !! {one}")

    async def _suffer(self, fault: Fault, window: Window) -> None:
        watching = asyncio.create_task(self._watch_deliveries(window)) if fault.redis else None
        try:
            await fault.inject(self)
        except NotFired:
            window.problems.append(f"{fault.name} never fired")
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
        window.healed = time.monotonic()
        late = await self._late(CONVERGED_SECONDS)
        window.converged = time.monotonic() - window.healed
        window.problems += [f"I6: 5 s after '{fault.name}' healed {one}" for one in late]

    @asynccontextmanager
    async def _bounded(self, what: str, seconds: float = 0.0) -> AsyncIterator[None]:
        """A run that hangs says where. There is no going on from there."""
        bound = seconds + FAULT_SECONDS * self.record.patience
        deadline = asyncio.timeout(bound)
        try:
            async with deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise AssertionError(f"the driver: {what} did not end within {bound:.0f} s") from error

    async def _both(self) -> None:
        """Both processes are there; AssertionError with the reason when one does not come back."""
        for place in self.stage.places:
            try:
                async with asyncio.timeout(BACK_SECONDS):
                    await place.up.wait()
            except TimeoutError:
                ended = [task.exception() for task in self._tasks if task.done() and not task.cancelled()]
                why = "; ".join(str(error) for error in ended if error is not None)
                raise AssertionError(
                    f"the driver: {place.name} did not come back within {BACK_SECONDS:.0f} s: {why}"
                ) from None

    async def _watch_deliveries(self, window: Window) -> None:
        while True:
            late = await self._late(DELIVERED_SECONDS)
            window.problems += [f"I12: 3 s after its commit, without Redis, {one}" for one in late]
            await asyncio.sleep(0.2)

    async def _late(self, seconds: float) -> list[str]:
        """Which sockets do not have, within the seconds, what the database has now."""
        began = time.monotonic()
        there = [(reader, len(reader.timeline.entries)) for reader in self.readers if reader.is_whole]
        goal = await positions(self.stage.url, self.conversations)
        opened = {reader: reader.opened for reader, _ in there}
        while True:
            late = [
                f"{reader.name} stood at {held.position} of {goal[one]}"
                for reader, _ in there
                if reader.opened == opened[reader] and reader.settled
                for one, held in reader.replica.held.items()
                # What a REST load brings is not a delivery.
                if one in goal and held.position < goal[one] and held.loading is None
            ]
            waited = time.monotonic() - began
            bound = seconds * self.record.patience + 2 * self.record.stalled(began, time.monotonic())
            if not late or waited > bound:
                return late
            await asyncio.sleep(0.02)

    async def race_a_removal(self) -> bool:
        """Rory sends from both processes while being removed and added again."""
        racing, done = self._racing, asyncio.Event()
        writer_of = [
            Writer(self.stage, self.record, racing.person, racing.conversation, self._own_dice(), 40) for _ in range(4)
        ]
        writers = [asyncio.create_task(writer.run(done)) for writer in writer_of]
        await asyncio.sleep(0.3)
        fired = await racing.toggle()
        await asyncio.sleep(0.2)
        done.set()
        await asyncio.gather(*writers)
        return fired

    async def finish(self) -> list[str]:
        """Quiet, late retries, a last look; then what the checkers say."""
        await self._both()
        self._stop.set()
        for reader in self.readers:
            reader.patient = True
        busy = self._tasks[1 + len(self.readers) :]
        _, left = await asyncio.wait(busy, timeout=SETTLE_SECONDS * self.record.patience)
        problems = [f"the driver: {task.get_coro()} did not end" for task in left]
        broken = [task.exception() for task in busy if task not in left]
        problems += [f"the driver: {error!r}" for error in broken if error is not None]
        async with self._bounded("the end of the run"):
            await say_again(self.stage, self.record, self.people, self._own_dice())
            problems += await late_after_quiet(self)
            witness = [self.readers[0].person.at(place.node) for place in self.stage.places]
            chosen = {reader.person.id: reader.person for reader in self.readers}
            self.truth = await read_truth(self.stage.url, self.conversations, witness, list(chosen.values()))
        await self.end()
        self.record.letters = [
            Letter(address, str(letter["Message-ID"]).strip("<>").partition("@")[0])
            for address, letter in self.stage.mailboxes.letters
        ]
        self.verdicts = {"driver": problems, **verdicts(self.record, self.truth)}
        return [violation for found in self.verdicts.values() for violation in found]

    async def end(self) -> None:
        """Ends all writers and readers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pulse(self) -> None:
        """Records how long this driver was delayed itself, so that no check counts that as a violation."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            lag = time.monotonic() - before - 0.05
            if lag > NOTICED_LAG:
                self.record.lags.append((time.monotonic(), lag))
