"""Writers: each message under a client_id of its own, tried again, here or elsewhere, until it is settled."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from contextlib import suppress
from typing import Final

import httpx

from tests.support.client import Person
from tests.system.chaos.readers import Reader
from tests.system.chaos.record import Call, Record
from tests.system.chaos.stage import REQUEST_SECONDS, Place, Stage

TWICE: Final = 0.05
"""So many of the sends are said twice at the same time, to both processes."""
LATE: Final = 200
"""So many are said once more at the end of the run."""
GIVE_UP: Final = frozenset({400, 401, 403, 404, 409, 422})


async def ask(
    record: Record, call: Call, person: Person, place: Place, method: str, path: str, json: object = None
) -> Call:
    """One request, recorded."""
    try:
        answer = await person.at(place.node).call(method, path, json, timeout=REQUEST_SECONDS)
    except httpx.ConnectError:
        return record.settle(call, 503, {"code": "never_left"})
    except httpx.HTTPError:
        return record.settle(call, 0, None)
    return record.settle(call, answer.status, answer.body if answer.content else None)


class Writer:
    """One person in one conversation, over REST or its own socket, at a pace of `rate` a second."""

    names = itertools.count(1)

    def __init__(
        self, stage: Stage, record: Record, person: Person, conversation: str, dice: random.Random, rate: float
    ) -> None:
        self.person = person
        self.conversation = conversation
        self.socket: Reader | None = None
        self.recent: deque[tuple[str, Person, str]] = deque(maxlen=50)
        """(conversation, sender, message) of what may be edited or deleted."""
        self._stage = stage
        self._record = record
        self._dice = dice
        self._pause = 1 / rate
        self._name = f"w{next(self.names)}"
        self._place = dice.choice(stage.places)

    async def run(self, stop: asyncio.Event) -> None:
        due = time.monotonic() + self._dice.uniform(0, self._pause)
        for number in itertools.count(1):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if stop.is_set():
                return
            # Behind its pace by more than a second, it does not catch up in one burst.
            due = max(due + self._pause, time.monotonic() - 1)
            await self.say(f"{self._name}-{number}")

    async def say(self, client_id: str) -> None:
        """Until there is an answer: an acknowledgement, or that it may not be."""
        if self._dice.random() < TWICE:
            await asyncio.gather(*(self._once(client_id, place) for place in self._stage.places))
        while True:
            call = await self._once(client_id, self._place)
            if call.outcome == "ok" or call.status in GIVE_UP:
                break
            self._place = self._stage.other(self._place)
            await asyncio.sleep(self._dice.uniform(0.02, 0.2))
        if call.answer is not None:
            self.recent.append((self.conversation, self.person, call.answer["id"]))
        elif call.status in (403, 404):
            await asyncio.sleep(self._dice.uniform(0.1, 0.5))  # removed, for now

    async def _once(self, client_id: str, place: Place) -> Call:
        call = self._record.call("send", self.person.id, self.conversation, client_id, client_id)
        if self.socket is not None and self.socket.settled:
            await self.socket.send(call)
            return call
        body = {"message_type": "text", "text": client_id, "client_id": client_id}
        return await ask(
            self._record, call, self.person, place, "POST", f"/conversations/{self.conversation}/messages/", body
        )


class KeylessWriter:
    """Sends without a client_id, each text once, whatever the answer, and does not wait for the answers."""

    names = itertools.count(1)

    def __init__(self, stage: Stage, record: Record, person: Person, conversation: str, dice: random.Random) -> None:
        self._stage, self._record, self._person = stage, record, person
        self._conversation, self._dice = conversation, dice
        self._texts = map(f"once {next(self.names)}-{{}}".format, itertools.count(1))

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as sending:
            while True:
                await asyncio.sleep(self._dice.uniform(0.1, 0.3))
                if stop.is_set():
                    return
                sending.create_task(self._say(self._dice.choice(self._stage.places)))

    async def burst(self, place: Place, count: int) -> None:
        """So many at once. Returns when all are answered."""
        await asyncio.gather(*(self._say(place) for _ in range(count)))

    async def _say(self, place: Place) -> None:
        text = next(self._texts)
        call = self._record.call("send once", self._person.id, self._conversation, text=text)
        path = f"/conversations/{self._conversation}/messages/"
        await ask(self._record, call, self._person, place, "POST", path, {"message_type": "text", "text": text})


class Editor:
    """Edits and deletes recent messages."""

    def __init__(self, stage: Stage, record: Record, writers: list[Writer], dice: random.Random) -> None:
        self._stage, self._record, self._writers, self._dice = stage, record, writers, dice

    async def run(self, stop: asyncio.Event) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(self._dice.uniform(0.05, 0.3))
            if stop.is_set():
                return
            writer = self._dice.choice(self._writers)
            if not writer.recent:
                continue
            conversation, person, message = self._dice.choice(writer.recent)
            path, place = f"/conversations/{conversation}/messages/{message}/", self._dice.choice(self._stage.places)
            if self._dice.random() < 0.2:
                call = self._record.call("delete", person.id, conversation, message)
                await ask(self._record, call, person, place, "DELETE", path)
            else:
                text = f"edited {number}"
                call = self._record.call("edit", person.id, conversation, message, text)
                await ask(self._record, call, person, place, "PATCH", path, {"text": text})


class Marker:
    """Reads what there is: moves a person's cursor, sometimes to where it was long ago."""

    def __init__(self, stage: Stage, record: Record, reader: Reader, dice: random.Random) -> None:
        self._stage, self._record, self._reader, self._dice = stage, record, reader, dice

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(self._dice.uniform(0.3, 1.5))
            for conversation, held in list(self._reader.replica.held.items()):
                seq = held.line["last_seq"] if self._dice.random() < 0.8 else held.line["last_seq"] // 2
                call = self._record.call("read", self._reader.person.id, conversation, seq)
                place, path = self._dice.choice(self._stage.places), f"/conversations/{conversation}/read/"
                await ask(self._record, call, self._reader.person, place, "PUT", path, {"seq": seq})


async def say_again(stage: Stage, record: Record, people: dict[str, Person], dice: random.Random) -> None:
    """Late retries: what was acknowledged long ago, said once more, anywhere."""
    acknowledged = [call for call in record.of("send") if call.outcome == "ok"]
    for old in dice.sample(acknowledged, min(LATE, len(acknowledged))):
        call = record.call("send", old.user, old.conversation, old.key, old.text)
        path, place = f"/conversations/{old.conversation}/messages/", dice.choice(stage.places)
        body = {"message_type": "text", "text": old.text, "client_id": old.key}
        with suppress(httpx.HTTPError):
            await ask(record, call, people[old.user], place, "POST", path, body)
