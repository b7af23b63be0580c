"""What must work while Redis is away, tried by a separate user; and crowds of sockets that open at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.client import Person
from tests.system.chaos.record import Record
from tests.system.chaos.stage import REQUEST_SECONDS, Place, Stage

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver

AWAY_SECONDS: Final = 2.0
"""I12: nothing waits longer because Redis is away."""
HELLO_SECONDS: Final = 10.0
LONGEST_TEXT: Final = 8_000
OPEN_AT_ONCE: Final = 64
"""As many connections as a listen backlog is sure to hold are begun in one moment."""


class Probe:
    """A person with a conversation of their own, of whom only the answers count."""

    def __init__(self, stage: Stage, record: Record, person: Person, conversation: str) -> None:
        self.person, self.conversation = person, conversation
        self._stage, self._record = stage, record
        self._numbers = itertools.count(1)
        self._seq = 0

    async def send(self, place: Place) -> int:
        """The status; 0 without an answer."""
        client_id = f"probe-{next(self._numbers)}"
        body = {"message_type": "text", "text": client_id, "client_id": client_id}
        path = f"/conversations/{self.conversation}/messages/"
        call = self._record.call("send", self.person.id, self.conversation, client_id, client_id)
        status, answer = await self._call(place, "POST", path, body)
        self._record.settle(call, status, answer)
        if status == 201:
            self._seq = answer["seq"]
        return status

    async def shout(self, place: Place) -> None:
        """The longest message there is."""
        await self._recorded(
            "probe shout", place, "POST", "messages/", {"message_type": "text", "text": "x" * LONGEST_TEXT}
        )

    async def all_works(self, seconds: float) -> None:
        """For so long: log in, send, read back and mark, at both processes, each within 2 s."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for place in self._stage.up:
                await self._log_in(place)
                await self.send(place)
                await self._recorded("probe page", place, "GET", "messages/")
                await self._recorded("probe read", place, "PUT", "read/", {"seq": self._seq})
            await asyncio.sleep(0.2)

    async def flush(self) -> None:
        client: Any = redis.Redis.from_url(self._stage.valkey.url, socket_timeout=3)
        with client:
            await asyncio.to_thread(client.flushall)

    async def _log_in(self, place: Place) -> None:
        call = self._record.call("probe login", self.person.id, "")
        try:
            answer = await asyncio.wait_for(place.node.log_in(self.person.email), REQUEST_SECONDS)
            self._record.settle(call, 200, {"id": answer.id})
            # Go on with this login: of many the oldest are ended.
            self.person = answer
        except (httpx.HTTPError, TimeoutError, AssertionError):
            self._record.settle(call, 0, None)

    async def _recorded(self, verb: str, place: Place, method: str, path: str, body: Any = None) -> None:
        call = self._record.call(verb, self.person.id, self.conversation)
        status, answer = await self._call(place, method, f"/conversations/{self.conversation}/{path}", body)
        self._record.settle(call, status, answer)

    async def _call(self, place: Place, method: str, path: str, body: Any) -> tuple[int, Any]:
        try:
            answer = await self.person.at(place.node).call(method, path, body, timeout=REQUEST_SECONDS)
        except httpx.HTTPError:
            return 0, None
        return answer.status, answer.body if answer.content else None


class Crowd:
    """People who only open sockets. At most twenty of one person at one process."""

    def __init__(self, people: list[Person]) -> None:
        self.people = people

    async def rush(self, driver: Driver, sockets: int) -> None:
        """So many open at once, at both processes: all are greeted within 10 s."""
        began = time.monotonic()
        seats = [(person, place) for _ in range(20) for person in self.people for place in driver.stage.up][:sockets]
        gate = asyncio.Semaphore(OPEN_AT_ONCE)
        opened: list[ClientConnection] = []
        try:
            late = await asyncio.gather(*(self._greeted(seat, gate, opened) for seat in seats))
            seconds = time.monotonic() - began
            refused = [why for why in late if why]
            bound = HELLO_SECONDS * driver.record.patience + driver.record.stalled(began, time.monotonic())
            if refused:
                driver.problem(f"I5: {len(refused)} of {len(seats)} sockets had no hello: {refused[0]}")
            elif seconds > bound:
                driver.problem(f"I5: {len(seats)} sockets had their hello after {seconds:.1f} s")
            driver.record.counts["sockets greeted in storms"] += len(seats) - len(refused)
        finally:
            for connection in opened:
                connection.transport.abort()

    async def _greeted(
        self, seat: tuple[Person, Place], gate: asyncio.Semaphore, opened: list[ClientConnection]
    ) -> str:
        person, place = seat
        try:
            async with gate:
                connection = await connect(
                    place.node.url.replace("http:", "ws:") + "/ws/conversations",
                    additional_headers={"Authorization": f"Bearer {person.access}"},
                    compression=None,
                    max_size=None,
                    proxy=None,
                    open_timeout=HELLO_SECONDS,
                    ping_interval=None,
                )
            opened.append(connection)
            async with asyncio.timeout(HELLO_SECONDS * 3):
                await connection.recv()
        except (OSError, TimeoutError, WebSocketException) as error:
            return repr(error)
        return ""
