"""Sends without a `client_id` while COMMIT waits, each sent once; checks that each answer was true."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import httpx
import msgspec

from tests.support.client import Person, Socket
from tests.support.standby import stored_texts

ANSWERED_SECONDS = 25.0
"""The promise."""
PATIENCE_SECONDS = 60.0
SENT = "sent"
UNANSWERED = "unanswered"


class Said(msgspec.Struct):
    """A send and its answer: `sent`, the code of an error, or why there was none."""

    text: str
    code: str
    seconds: float


class Senders:
    """Each sends `each` messages, one every `pause` seconds whatever becomes of those before; every fourth sender over
    a socket, the others over REST."""

    def __init__(self, people: Sequence[Person], conversations: Sequence[str], *, each: int, pause: float) -> None:
        self._people, self._conversations, self._each, self._pause = people, conversations, each, pause
        self.said: list[Said] = []

    async def run(self) -> None:
        """Returns when every send is answered, or was not within PATIENCE_SECONDS."""
        places = list(zip(self._people, self._conversations, strict=True))
        senders = [self._over_http if at % 4 else self._over_a_socket for at in range(len(places))]
        await asyncio.gather(
            *(send(at, person, where) for at, (send, (person, where)) in enumerate(zip(senders, places, strict=True)))
        )

    async def _over_http(self, at: int, person: Person, conversation: str) -> None:
        await asyncio.sleep(self._start_of(at))
        async with asyncio.TaskGroup() as sending:
            for number in range(self._each):
                sending.create_task(self._post(person, conversation, f"http {at} {number}"))
                await asyncio.sleep(self._pause)

    async def _post(self, person: Person, conversation: str, text: str) -> None:
        began = time.monotonic()
        path, body = f"/conversations/{conversation}/messages/", {"message_type": "text", "text": text}
        try:
            answer = await person.call("POST", path, body, timeout=PATIENCE_SECONDS)
            code = SENT if answer.status == 201 else answer.problem.code
        except httpx.HTTPError as error:
            code = repr(error)
        self.said.append(Said(text, code, time.monotonic() - began))

    async def _over_a_socket(self, at: int, person: Person, conversation: str) -> None:
        async with person.listening() as socket:
            await asyncio.sleep(self._start_of(at))
            began: dict[str, float] = {}
            hearing = asyncio.create_task(self._hear(socket, began))
            for number in range(self._each):
                text = f"socket {at} {number}"
                began[text] = time.monotonic()
                await socket.say("send", ref=text, conversation=conversation, message_type="text", text=text)
                await asyncio.sleep(self._pause)
            await hearing

    async def _hear(self, socket: Socket, began: dict[str, float]) -> None:
        """The answers of a socket, in whichever order they come."""
        unanswered = self._each
        while unanswered:
            try:
                frame = await socket.expect("ack", "error", within=PATIENCE_SECONDS)
            except AssertionError:
                self.said += [Said(text, UNANSWERED, time.monotonic() - start) for text, start in began.items()]
                return
            code = SENT if frame["type"] == "ack" else frame["code"]
            self.said.append(Said(frame["ref"], code, time.monotonic() - began.pop(frame["ref"])))
            unanswered -= 1

    def _start_of(self, at: int) -> float:
        """The senders take turns within a pause, so that all together send at a steady rate."""
        return at * self._pause / len(self._people)

    @property
    def codes(self) -> Counter[str]:
        return Counter(one.code for one in self.said)

    @property
    def slowest(self) -> float:
        return max(one.seconds for one in self.said)

    def untrue(self, url: str, *, allowed: float = 0.0) -> list[str]:
        """What must not be: stored twice, acknowledged and lost, refused and stored, answered late or not at all.

        `allowed`: seconds more for an answer, because these senders did not run for so long.
        """
        times = Counter(stored_texts(url))
        found = [f"{one.text} is stored {times[one.text]} times" for one in self.said if times[one.text] > 1]
        for one in self.said:
            if one.code == SENT and not times[one.text]:
                found.append(f"{one.text} was acknowledged and is lost")
            elif one.code not in (SENT, "outcome_unknown", UNANSWERED) and times[one.text]:
                found.append(f"{one.text} was answered {one.code} and is stored")
            if one.seconds > ANSWERED_SECONDS + allowed or one.code == UNANSWERED:
                found.append(f"{one.text} was answered after {one.seconds:.1f} s: {one.code}")
        return found
