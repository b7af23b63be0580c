"""Users who create conversations and close them again, and a user who changes their name."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

from tests.support.client import Person
from tests.system.chaos.record import Call, Deletion, Record
from tests.system.chaos.stage import Stage
from tests.system.chaos.writers import ask

OVER: Final = frozenset({200, 204, 404})
MESSAGES: Final = 3
TRIES: Final = 100


class Founder:
    """A conversation with others, a few messages, and its end; again and again."""

    def __init__(self, stage: Stage, record: Record, person: Person, others: list[Person], dice: random.Random) -> None:
        self._stage, self._record, self._person, self._others, self._dice = stage, record, person, others, dice

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(self._dice.uniform(1.0, 3.0))
            found = await self._ask("found", self._person, "", "POST", "/conversations/", {"name": "Brief"})
            if found.answer is None or not found.answer.get("id"):
                continue
            conversation = found.answer["id"]
            path = f"/conversations/{conversation}"
            for other in self._others:
                await self._ask("admit", self._person, conversation, "POST", f"{path}/add_member/", {"user": other.id})
            for number in range(MESSAGES):
                body = {"message_type": "text", "text": f"brief {number}"}
                await self._ask("brief", self._others[0], conversation, "POST", f"{path}/messages/", body)
            await self._close(conversation, path)

    async def _close(self, conversation: str, path: str) -> None:
        for _ in range(TRIES):
            if (await self._ask("close", self._person, conversation, "DELETE", f"{path}/")).status in OVER:
                break
            await asyncio.sleep(self._dice.uniform(0.05, 0.3))
        else:
            return
        self._record.deletions.append(Deletion(conversation=conversation, gone=time.monotonic()))
        # From this moment no process finds it.
        for person in (self._person, *self._others):
            await self._ask("look after", person, conversation, "GET", f"{path}/messages/")
        body = {"message_type": "text", "text": "too late"}
        await self._ask("say after", self._others[0], conversation, "POST", f"{path}/messages/", body)

    async def _ask(
        self, verb: str, who: Person, conversation: str, method: str, path: str, body: object = None
    ) -> Call:
        call = self._record.call(verb, who.id, conversation)
        return await ask(self._record, call, who, self._dice.choice(self._stage.places), method, path, body)


class Renamer:
    """A user who changes their name every few seconds: every client that knows them must learn the new one."""

    def __init__(self, stage: Stage, record: Record, person: Person, dice: random.Random) -> None:
        self._stage, self._record, self._person, self._dice = stage, record, person, dice

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(self._dice.uniform(2.0, 4.0))
            name = f"Joan{self._dice.randrange(1000)}"
            call = self._record.call("new name", self._person.id, "")
            place = self._dice.choice(self._stage.places)
            await ask(self._record, call, self._person, place, "PATCH", "/me/", {"first_name": name})
