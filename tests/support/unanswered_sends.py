"""Sends without a `client_id` while COMMIT waits, each said once; and whether each answer was true."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import httpx
import msgspec

from tests.support.client import Person
from tests.support.standby import stored_texts

ANSWERED_SECONDS = 25.0
"""The promise."""
PATIENCE_SECONDS = 60.0


class Said(msgspec.Struct):
    """A send and its answer: a status of HTTP, or the code of an error."""

    text: str
    code: str
    seconds: float


class Senders:
    """Each says so many things, one after the other, over REST or a socket, and nothing twice."""

    def __init__(self, people: Sequence[Person], conversations: Sequence[str], *, each: int, pause: float) -> None:
        self._people, self._conversations, self._each, self._pause = people, conversations, each, pause
        self.said: list[Said] = []

    async def run(self) -> None:
        places = list(zip(self._people, self._conversations, strict=True))
        senders = [self._over_http if at % 4 else self._over_a_socket for at in range(len(places))]
        await asyncio.gather(
            *(send(at, person, where) for at, (send, (person, where)) in enumerate(zip(senders, places, strict=True)))
        )

    async def _over_http(self, at: int, person: Person, conversation: str) -> None:
        for number in range(self._each):
            said, began = f"http {at} {number}", time.monotonic()
            body = {"message_type": "text", "text": said}
            path = f"/conversations/{conversation}/messages/"
            try:
                answer = await person.call("POST", path, body, timeout=PATIENCE_SECONDS)
                code = "sent" if answer.status == 201 else answer.problem.code
            except httpx.HTTPError as error:
                code = repr(error)
            self.said.append(Said(said, code, time.monotonic() - began))
            await asyncio.sleep(self._pause)

    async def _over_a_socket(self, at: int, person: Person, conversation: str) -> None:
        async with person.listening() as socket:
            for number in range(self._each):
                said, began = f"socket {at} {number}", time.monotonic()
                await socket.say("send", ref=said, conversation=conversation, message_type="text", text=said)
                frame = await socket.expect("ack", "error", ref=said, within=PATIENCE_SECONDS)
                code = "sent" if frame["type"] == "ack" else frame["code"]
                self.said.append(Said(said, code, time.monotonic() - began))
                await asyncio.sleep(self._pause)

    @property
    def codes(self) -> Counter[str]:
        return Counter(one.code for one in self.said)

    def untrue(self, url: str) -> list[str]:
        """What must not be: stored twice, acknowledged and lost, refused and stored, answered late or not at all."""
        times = Counter(stored_texts(url))
        found = [f"{one.text} is stored {times[one.text]} times" for one in self.said if times[one.text] > 1]
        for one in self.said:
            if one.code == "sent" and not times[one.text]:
                found.append(f"{one.text} was acknowledged and is lost")
            elif one.code not in ("sent", "outcome_unknown") and times[one.text]:
                found.append(f"{one.text} was answered {one.code} and is stored")
            if one.seconds > ANSWERED_SECONDS:
                found.append(f"{one.text} was answered after {one.seconds:.1f} s")
        return found
