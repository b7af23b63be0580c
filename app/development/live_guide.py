"""The guide answers in "Welcome", live: it shows that it is typing, then sends as any member does.

It sees what this process has committed, so each message is seen by one process. An answer's `client_id` names the
message that it answers, so none is answered twice; it may stay unanswered if the process ends first. The queue is
bounded, and the guide has the send limits of any user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
import structlog

from app.db import Database
from app.development.guide_texts import GREETING, answer_to
from app.domain.errors import ChatError
from app.domain.events import LogChange, Outgoing
from app.domain.messages.content import MessageBody
from app.domain.messages.schemas import Message
from app.domain.messages.send import draft
from app.domain.welcome.guide_account import Guide, find_guide
from app.store.message_writer import MessageWriter

MAX_WAITING: Final = 20
CHARACTERS_PER_SECOND: Final = 80
LONGEST_TYPING: Final = 2.5
SHORTEST_TYPING: Final = 0.6

ShowTyping = Callable[[UUID, UUID], Awaitable[None]]
"""Shows in a conversation that a user is typing."""

log = structlog.get_logger(__name__)


class Said(msgspec.Struct, frozen=True):
    """A text for a conversation. A repeat with the same `client_id` is stored once."""

    conversation: UUID
    text: str
    client_id: str


class LiveGuide:
    """`pace` multiplies the time that it takes to type."""

    def __init__(
        self, database: Database, writer: MessageWriter, show_typing: ShowTyping, *, pace: float = 1.0
    ) -> None:
        self._database = database
        self._writer = writer
        self._show_typing = show_typing
        self._pace = pace
        self._jobs: asyncio.Queue[Message | list[Said]] = asyncio.Queue(MAX_WAITING)
        self._known: Guide | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def receive(self, events: Sequence[Outgoing]) -> None:
        """Takes note of committed messages. Never waits and never raises; what exceeds the queue stays unanswered."""
        for event in events:
            if not isinstance(event, LogChange) or event.type != "message.created":
                continue
            if self._known is None or event.conversation in self._known.conversations:
                message = msgspec.json.decode(event.data, type=Message)
                if self._known is None or message.sent_by.id != self._known.caller.user:
                    self._put(message)

    def greet(self, conversation: UUID) -> None:
        """Writes the greeting into a "Welcome" that has just been committed."""
        self._known = None
        self._put([Said(conversation, text, f"guide:welcome:{at}") for at, text in enumerate(GREETING)])

    def _put(self, job: Message | list[Said]) -> None:
        with suppress(asyncio.QueueFull):
            self._jobs.put_nowait(job)

    async def _run(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                await self._do(job)
            except ChatError as refusal:
                # Removed from the conversation, throttled, or an outage: the next message finds out again.
                self._known = None
                log.info("guide_refused", code=refusal.code)
            except Exception:
                log.exception("guide_failed")

    async def _do(self, job: Message | list[Said]) -> None:
        if self._known is None:
            async with self._database.transaction() as session:
                self._known = await find_guide(session)
        guide = self._known
        if guide is None:
            return
        if isinstance(job, list):
            for said in job:
                await self._say(guide, said)
        elif job.conversation in guide.conversations and job.sent_by.id != guide.caller.user:
            await self._say(guide, Said(job.conversation, answer_to(job.text, job.seq), f"guide:{job.id}"))

    async def _say(self, guide: Guide, said: Said) -> None:
        await self._show_typing(said.conversation, guide.caller.user)
        typing = min(LONGEST_TYPING, max(SHORTEST_TYPING, len(said.text) / CHARACTERS_PER_SECOND))
        await asyncio.sleep(self._pace * typing)
        body = MessageBody(message_type="text", text=said.text, client_id=said.client_id)
        await self._writer.send(draft(said.conversation, guide.caller, body))
