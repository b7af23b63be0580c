"""The client's public interface: the user's conversations, the events in them, and sending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import uuid4

from chat_client.errors import ChatError, Refused, Unreachable
from chat_client.events import ConversationRemoved, Event
from chat_client.link import Link
from chat_client.login import Login
from chat_client.pauses import Pauses
from chat_client.rest import Rest
from chat_client.rows import Conversation, Json, Message, MessageType, row
from chat_client.sender import Sender
from chat_client.view import View

MOST_EVENTS: Final = 1_000
MOST_SENDS: Final = 64
"""Concurrent sends; further ones wait, within their own deadlines."""

GOODBYE_SECONDS: Final = 3.0
STALE_SECONDS: Final = 0.2
TYPING_SECONDS: Final = 1.0


class Chat:
    """`url` is the server's base URL. `keep` limits the messages held per conversation, `queue` the unread events.

    If the caller does not read `events()`, the queue fills and the socket stalls; missed events are fetched once the
    caller reads again. Sends and requests continue over REST. Every request has a deadline of `seconds`.
    """

    def __init__(self, url: str, *, keep: int = 500, queue: int = MOST_EVENTS, seconds: float = 10.0) -> None:
        self._url = url
        self._seconds = seconds
        self._view = View(keep)
        self._events: asyncio.Queue[Event] = asyncio.Queue(queue)
        self._keep = keep
        self._turns = asyncio.Semaphore(MOST_SENDS)
        self._loads: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._typed = ("", 0.0)

    @asynccontextmanager
    async def logged_in(self, email: str, password: str, *, code: str | None = None) -> AsyncIterator[Chat]:
        """Logs in, connects in the background, and logs out at the end. `code` is the second factor's code.

        If the login is ended elsewhere, the client logs in again with the password, but not if a `code` was given: it
        is valid once.

        Raises:
            Refused: the e-mail address, password or code is wrong. Unreachable: the server does not respond.
        """
        rest = Rest(self._url, self._seconds)
        self._login = Login(rest, email, password, code)
        self._link = Link(self._url, self._login, self._view, self._emit, self._reload)
        self._sender = Sender(self._link, self._login, self._offer, lambda: not self._events.full())
        try:
            await self._login.begin()
            self._running = asyncio.create_task(self._link.run())
            yield self
        finally:
            await self._end()
            await rest.close()

    @property
    def user(self) -> str:
        """The id of the logged-in user."""
        return self._login.user

    @property
    def is_connected(self) -> bool:
        return self._link.is_open

    @property
    def conversations(self) -> dict[str, Conversation]:
        """The user's conversations by id. They include the events still in the queue."""
        return {conversation: held.line for conversation, held in self._view.held.items()}

    def messages(self, conversation: str) -> list[Message]:
        """Returns the newest messages held, ascending by seq and without gaps: from events and from `load`.

        Raises KeyError if the user is not in the conversation.
        """
        return self._view.held[conversation].messages

    async def events(self) -> AsyncIterator[Event]:
        """Yields events for ever, to a single reader. Raises LoginEnded or Refused if reconnecting would not help."""
        assert self._running is not None
        while True:
            if self._events.empty():
                getting = asyncio.ensure_future(self._events.get())
                try:
                    await asyncio.wait({getting, self._running}, return_when=asyncio.FIRST_COMPLETED)
                    if not getting.done():
                        self._running.result()
                        return
                    yield getting.result()
                finally:
                    getting.cancel()
            else:
                yield self._events.get_nowait()

    async def send(
        self,
        conversation: str,
        *,
        text: str | None = None,
        media_url: str | None = None,
        message_type: MessageType = "text",
        reply_to: int | None = None,
        client_id: str | None = None,
        within: float = 30.0,
    ) -> Message:
        """Sends a message, with retries, and returns it as stored. It is stored once, and also arrives as an event.

        Raises:
            Refused: it cannot be stored. Throttled: the throttle outlasts `within` seconds. Unreachable: other sends
            took all of `within`; nothing was sent. OutcomeUnknown: no response; send again with its `client_id`.
        """
        optional = {"text": text, "media_url": media_url, "reply_to": reply_to}
        body: Json = {"message_type": message_type, "client_id": client_id or uuid4().hex}
        body |= {name: value for name, value in optional.items() if value is not None}
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(within):
                await self._turns.acquire()
        except TimeoutError:
            raise Unreachable("too many sends are under way: nothing was sent") from None
        try:
            left = began + within - asyncio.get_running_loop().time()
            return await self._sender.send(conversation, body, left)
        finally:
            self._turns.release()

    async def read(self, conversation: str, seq: int) -> None:
        """Marks the messages up to `seq` as read. Raises Refused, Unreachable."""
        state = await self.request("PUT", f"/conversations/{conversation}/read/", {"seq": seq})
        if conversation in self._view.held:
            self._view.held[conversation].read(state["read_seq"])

    async def hide(self, conversation: str, *, hidden: bool = True) -> None:
        """Hides a direct conversation from the list until its next message, or shows it again.

        Raises: as `request`.
        """
        await self.request("PUT", f"/conversations/{conversation}/hidden/", {"hidden": hidden})

    async def typing(self, conversation: str) -> None:
        """Signals that the user is typing. Call it every few seconds while that lasts; repeats for one conversation
        within a second are dropped. The signal may be lost."""
        now = asyncio.get_running_loop().time()
        last, when = self._typed
        if conversation == last and now - when < TYPING_SECONDS:
            return
        self._typed = conversation, now
        await self._link.say({"type": "typing", "conversation": conversation})

    async def load(self, conversation: str, limit: int = 50) -> list[Message]:
        """Fetches messages older than those held, and holds them as far as `keep` allows. Returns [] at the start of
        the conversation.

        Raises KeyError, Refused, Unreachable, and TimeoutError if the server's cache stays stale.
        """
        held = self._view.held[conversation]
        held.loads += 1
        try:
            found = await self._page(conversation, held.line.position, {"before": held.floor + 1, "limit": limit})
            held.load(found)
            return found
        finally:
            held.loaded()

    async def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Calls any other route; `path` is without `/api/v1`. Raises Refused, Unreachable, LoginEnded."""
        return await self._login.call(method, path, body=body, query=query or None)

    async def _page(self, conversation: str, position: int, query: Json) -> list[Message]:
        """Fetches a page as of `position` or later: the server's cache may be up to two seconds stale."""
        async with asyncio.timeout(self._seconds):
            while True:
                page = await self.request("GET", f"/conversations/{conversation}/messages/", **query)
                if page["position"] >= position:
                    return [row(Message, item) for item in page["items"]]
                await asyncio.sleep(STALE_SECONDS)

    async def _emit(self, event: Event) -> None:
        await self._events.put(event)

    def _offer(self, event: Event) -> None:
        """Queues an optional event; drops it if the queue is full."""
        with suppress(asyncio.QueueFull):
            self._events.put_nowait(event)

    def _reload(self, conversation: str) -> None:
        task = asyncio.create_task(self._load_again(conversation))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _load_again(self, conversation: str) -> None:
        """Reloads a conversation. Retries until it succeeds, the conversation is gone, or it has been replaced."""
        pauses = Pauses()
        held = self._view.held.get(conversation)
        while held is not None and self._view.held.get(conversation) is held:
            try:
                line = row(Conversation, await self.request("GET", f"/conversations/{conversation}/"))
                count, messages = len(held.messages), list[Message]()
                if count:
                    query = {"before": line.last_seq + 1, "limit": min(count, 500)}
                    messages = await self._page(conversation, line.position, query)
                for event in self._view.reload(conversation, line, messages):
                    await self._emit(event)
                await self._link.follow()
                return
            except Refused as refused:
                if refused.status in (403, 404):
                    self._view.held.pop(conversation, None)
                    await self._emit(ConversationRemoved(conversation, "not_a_member"))
            except (ChatError, TimeoutError):
                pass
            await asyncio.sleep(pauses.next())

    async def _end(self) -> None:
        tasks = [*self._loads, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(ChatError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                if self._login.access:
                    await self._login.end()
