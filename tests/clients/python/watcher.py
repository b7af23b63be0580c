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
    """`received` holds all events, `ended` the error that ended them."""

    def __init__(self, chat: Chat, person: Person) -> None:
        self.chat = chat
        self.received: list[events.Event] = []
        self.ended: ChatError | None = None
        self._person = person

    async def listen(self) -> None:
        try:
            async for event in self.chat.events():
                self.received.append(event)
        except ChatError as error:
            self.ended = error

    def of(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.received if isinstance(event, kinds)]

    async def receives(self, *kinds: type[Any], count: int = 1) -> None:
        await eventually(lambda: len(self.of(*kinds)) >= count, WITHIN)

    async def assert_in_sync(self) -> None:
        """Waits until its view equals a fresh fetch."""
        with suppress(AssertionError):
            await eventually(self._agrees, WITHIN)
        assert self.chat.conversations == await self._lines()
        for conversation in self.chat.conversations:
            held = self.chat.messages(conversation)
            assert held == (await self._messages(conversation))[-len(held) :] or not held

    def assert_no_duplicates(self) -> None:
        """No change of a message arrived twice."""
        counts = Counter(
            (event.message.conversation, event.message.position) for event in self.of(events.MessageChanged)
        )
        assert [change for change, count in counts.items() if count > 1] == []

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
    """A connected client; `person` is the same user at a process without faults."""
    async with Chat(url, **options).logged_in(person.email, PASSWORD) as chat:
        watcher = Watcher(chat, person)
        listening = asyncio.create_task(watcher.listen())
        try:
            await watcher.receives(events.Connected)
            yield watcher
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
