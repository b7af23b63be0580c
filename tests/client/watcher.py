"""A program that uses the client and records its events, to compare them with the server's state."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from chat_client import Chat, ChatError, Conversation, Message, events
from chat_client.rows import row

from tests.support.client import PASSWORD, Person, eventually

WITHIN = 60.0


class Watcher:
    """`heard` are all events, `ended` the error the events ended with."""

    def __init__(self, chat: Chat, person: Person) -> None:
        self.chat = chat
        self.heard: list[events.Event] = []
        self.ended: ChatError | None = None
        self._person = person

    async def listen(self) -> None:
        try:
            async for event in self.chat.events():
                self.heard.append(event)
        except ChatError as error:
            self.ended = error

    def of(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kinds)]

    async def hears(self, *kinds: type[Any], count: int = 1) -> None:
        await eventually(lambda: len(self.of(*kinds)) >= count, WITHIN)

    async def sees_what_there_is(self) -> None:
        """Until the view it keeps equals a fresh fetch."""
        with suppress(AssertionError):
            await eventually(self._agrees, WITHIN)
        assert self.chat.conversations == await self._lines()
        for conversation in self.chat.conversations:
            held = self.chat.messages(conversation)
            assert held == (await self._messages(conversation))[-len(held) :] or not held

    def told_once(self) -> None:
        """No change of a message arrived twice."""
        told = Counter((event.message.conversation, event.message.position) for event in self.of(events.MessageTold))
        assert [change for change, count in told.items() if count > 1] == []

    async def _agrees(self) -> bool:
        if self.chat.conversations != await self._lines():
            return False
        for conversation in self.chat.conversations:
            held = self.chat.messages(conversation)
            if held and held != (await self._messages(conversation))[-len(held) :]:
                return False
        return True

    async def _lines(self) -> dict[str, Conversation]:
        page = await self._person.get("/conversations/", limit=100)
        return {line["id"]: row(Conversation, line) for line in page["items"]}

    async def _messages(self, conversation: str) -> list[Message]:
        return [row(Message, message) for message in await self._person.history(conversation)]


@asynccontextmanager
async def watching(url: str, person: Person, **options: Any) -> AsyncIterator[Watcher]:
    """The client, connected; `person` is the same one at a process that is left alone."""
    async with Chat(url, **options).logged_in(person.email, PASSWORD) as chat:
        watcher = Watcher(chat, person)
        listening = asyncio.create_task(watcher.listen())
        try:
            await watcher.hears(events.Connected)
            yield watcher
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def stored(person: Person, conversation: str) -> Counter[str]:
    """How often each text is there."""
    return Counter(message["text"] for message in await person.history(conversation))
