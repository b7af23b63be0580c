"""Readers that reconnect: dropped, killed, closed by either side, they connect elsewhere and `resume`."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from contextlib import suppress
from typing import Any, Final

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.support.client import Person
from tests.system.chaos.record import Call, Entry, Json, Record, Timeline
from tests.system.chaos.replica import Replica
from tests.system.chaos.stage import Place, Stage

OPEN_SECONDS: Final = 3.0
ACK_SECONDS: Final = 8.0
BOREDOM: Final = (8.0, 25.0)
"""A reader goes away by itself after so many seconds (at least, at most)."""
Acked = msgspec.json.Decoder(dict[str, Any]).decode


class Reader:
    """One device of a person. `place` is where it is connected, if it is."""

    def __init__(self, person: Person, name: str, stage: Stage, record: Record, dice: random.Random) -> None:
        self.person = person
        self.name = name
        self.place: Place | None = None
        self.replica = Replica(person.id)
        self.timeline = Timeline(user=person.id, name=name)
        self.settled = False
        """Greeted."""
        self.patient = False
        """Does not disconnect by itself."""
        self._stage = stage
        self._record = record
        self._dice = dice
        self._refs = itertools.count(1)
        self._connection: ClientConnection | None = None
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._loads: set[asyncio.Task[None]] = set()
        self._asked: set[object] = set()
        self._wanted: list[str] = []
        self._opened = 0
        record.timelines.append(self.timeline)

    @property
    def opened(self) -> int:
        """The number of its connection."""
        return self._opened

    @property
    def is_whole(self) -> bool:
        """Whether it has `hello` and everything it has requested."""
        return self.settled and not self._asked and not self._loads

    async def run(self, start: Place) -> None:
        """Runs forever, at any process that accepts it."""
        place = start
        while True:
            with suppress(OSError, TimeoutError, WebSocketException):
                await self._connect(place)
            place = self._stage.other(place) if self._dice.random() < 0.7 else place
            await asyncio.sleep(self._dice.uniform(0.02, 0.3))

    async def send(self, call: Call) -> None:
        """Over the socket, and settled when it is answered, or never will be."""
        connection, answer = self._connection, asyncio.get_running_loop().create_future()
        ref = f"{call.key}/{next(self._refs)}"
        self._answers[ref] = answer
        status, body = 0, None
        try:
            if connection is not None:
                frame = {"type": "send", "ref": ref, "conversation": call.conversation, "message_type": "text"}
                await connection.send(msgspec.json.encode({**frame, "text": call.text, "client_id": call.key}).decode())
                async with asyncio.timeout(ACK_SECONDS):
                    body = await answer
                status = 200 if body["type"] == "ack" else 404 if body.get("code") in REFUSED else 503
                body = body["data"] if status == 200 else body
        except (OSError, TimeoutError, ConnectionClosed, ConnectionError):
            status = 0
        finally:
            self._answers.pop(ref, None)
            self._record.settle(call, status, body)

    async def drop(self) -> None:
        """The network goes: no good-bye."""
        if self._connection is not None:
            self._connection.transport.abort()

    def _enter(self, kind: Any, data: Any = None) -> None:
        entry = Entry(kind, time.monotonic(), data)
        self.timeline.entries.append(entry)
        for wish, conversation in self.replica.take(entry):
            if wish == "load":
                task = asyncio.create_task(self._load(conversation))
                self._loads.add(task)
                task.add_done_callback(self._loads.discard)
            else:
                self._wanted.append(conversation)

    async def _connect(self, place: Place) -> None:
        url = place.node.url.replace("http:", "ws:") + "/ws/conversations"
        connection = await connect(
            url,
            additional_headers={"Authorization": f"Bearer {self.person.access}"},
            compression=None,
            max_size=None,
            proxy=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=1,
            ping_interval=None,
        )
        self._wanted = []
        self._opened += 1
        self._enter("opened", place.name)
        self._connection, self.place = connection, place
        boredom = asyncio.get_running_loop().call_later(self._dice.uniform(*BOREDOM), self._bored, connection)
        try:
            while True:
                data = await connection.recv(decode=False)
                self._enter("received", data)
                self._record.counts["frames told"] += 1
                self._look_at(data)
                if self._wanted:
                    await self._resume(connection)
        except ConnectionClosed:
            pass
        finally:
            boredom.cancel()
            self._connection, self.place, self.settled = None, None, False
            self._asked.clear()
            for task in list(self._loads):
                task.cancel()
            self._enter("closed", (place.name, connection.close_code or 1006))
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError())
            connection.transport.abort()

    def _bored(self, connection: ClientConnection) -> None:
        if not self.patient:
            connection.transport.abort()

    def _look_at(self, data: bytes) -> None:
        if data.startswith((b'{"type":"ack"', b'{"type":"error"', b'{"type":"throttled"')):
            body = Acked(data)
            answer = self._answers.get(str(body.get("ref")))
            if answer is not None and not answer.done():
                answer.set_result(body)
        elif data.startswith(b'{"type":"caught_up"'):
            self._asked.discard(Acked(data)["ref"])
        elif data.startswith(b'{"type":"hello"'):
            self.settled = True

    async def _resume(self, connection: ClientConnection) -> None:
        wanted, self._wanted = self._wanted, []
        positions = {one: self.replica.held[one].position for one in dict.fromkeys(wanted) if one in self.replica.held}
        if not positions:
            return
        ref = next(self._refs)
        self._asked.add(ref)
        self._enter("resume", (ref, positions))
        self._record.counts["resumes"] += 1
        await connection.send(msgspec.json.encode({"type": "resume", "ref": ref, "conversations": positions}).decode())

    async def _load(self, conversation: str) -> None:
        """Loads a conversation again over REST, until it succeeds, as `reset` requires."""
        while True:
            for place in self._stage.places:
                with suppress(httpx.HTTPError, AssertionError, OSError):
                    async with asyncio.timeout(20):
                        loaded = await load(self.person.at(place.node), conversation)
                    self._record.counts["loaded anew"] += 1
                    self._enter("loaded", loaded)
                    if self._wanted and self._connection is not None:
                        await self._resume(self._connection)
                    return
            await asyncio.sleep(0.2)


REFUSED: Final = frozenset({"not_found", "not_a_member", "forbidden"})


async def load(person: Person, conversation: str) -> Json:
    """Everything of one conversation, and the position from which on events go further."""
    line = await person.get(f"/conversations/{conversation}/")
    position, messages = line["position"], await person.history(conversation)
    members = (await person.get(f"/conversations/{conversation}/members/", limit=100))["items"]
    return {
        "conversation": conversation,
        "position": position,
        "line": line,
        "messages": messages,
        "members": members,
    }
