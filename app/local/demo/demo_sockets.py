"""People of the demo on their sockets: they type, send and read like any client, and come back after every outage."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from app.local.demo.demo_users import DemoFailed, DemoUser

Frame = dict[str, Any]

NOT_AUTHENTICATED: Final = 4401
ANSWER_SECONDS: Final = 15
TYPING_SECONDS: Final = 4
"""The mark expires after ten seconds; clients repeat it."""

NOT_NOW: Final = {"busy", "overloaded", "unavailable", "database_unavailable", "outcome_unknown", "internal"}
"""Codes after which the same message is sent again, with the same `client_id`: it is stored once."""


class DemoSocket:
    """One person's socket. `on_message` receives every message that others write, as the frame's `data`."""

    def __init__(self, user: DemoUser, on_message: Callable[[Frame], None], *, pace: float = 1.0) -> None:
        self.user = user
        self._on_message = on_message
        self._pace = pace
        self._socket: ClientConnection | None = None
        self._connected = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Frame]] = {}

    async def stay_online(self) -> None:
        """Connects, and again after each cut, with a new login if the token has expired. Ends only if canceled."""
        while True:
            code = await self._connection()
            if code == NOT_AUTHENTICATED:
                with suppress(DemoFailed, OSError):
                    await asyncio.to_thread(self.user.log_in)
            await asyncio.sleep(random.uniform(0.3, 1.2))

    async def say(
        self, conversation: str, text: str, *, typing: float = 0.0, reply_to: int | None = None
    ) -> int | None:
        """Types for `typing` seconds, then sends. Returns the message's `seq` once it is stored, however many outages
        that takes; None if the chat refuses it for good."""
        await self._type(conversation, typing)
        body = {"message_type": "text", "text": text, "client_id": uuid4().hex, "reply_to": reply_to}
        while True:
            answer = await self._ask({"type": "send", "conversation": conversation, **body})
            if answer is None:
                continue
            if answer["type"] == "ack":
                return int(answer["data"]["seq"])
            if answer["type"] != "throttled" and answer["code"] not in NOT_NOW:
                return None
            await asyncio.sleep(answer.get("retry_after", 1))

    async def read(self, conversation: str, seq: int) -> None:
        """Marks the conversation as read. Lost if the socket is away."""
        await self._put({"type": "read", "conversation": conversation, "seq": seq})

    async def _type(self, conversation: str, seconds: float) -> None:
        while seconds > 0:
            await self._put({"type": "typing", "conversation": conversation})
            await asyncio.sleep(self._pace * min(seconds, TYPING_SECONDS))
            seconds -= TYPING_SECONDS

    async def _connection(self) -> int | None:
        """Receives until the socket closes. Returns its close code, None if it was never open."""
        url = f"ws://127.0.0.1:{self.user.port}/ws/conversations"
        headers = {"Authorization": f"Bearer {self.user.access}"}
        try:
            async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
                try:
                    async for data in socket:
                        self._receive(socket, json.loads(data))
                except ConnectionClosed:
                    pass
                finally:
                    self._disconnected()
                return socket.close_code
        except (OSError, WebSocketException):
            return None

    def _receive(self, socket: ClientConnection, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "hello":
            self._socket = socket
            self._connected.set()
        elif kind in ("ack", "error", "throttled"):
            waiting = self._answers.pop(str(frame.get("ref")), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)
        elif kind == "message.created" and frame["data"]["sent_by"]["id"] != self.user.id:
            self._on_message(frame["data"])

    def _disconnected(self) -> None:
        self._connected.clear()
        self._socket = None
        for waiting in self._answers.values():
            waiting.cancel()
        self._answers.clear()

    async def _ask(self, frame: Frame) -> Frame | None:
        """Sends when the socket is open. Returns the answer, None if the socket closed or stayed silent."""
        await self._connected.wait()
        ref = uuid4().hex
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        await self._put(frame | {"ref": ref})
        await asyncio.wait({answer}, timeout=ANSWER_SECONDS)
        self._answers.pop(ref, None)
        return None if answer.cancelled() or not answer.done() else answer.result()

    async def _put(self, frame: Frame) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._socket.send(json.dumps(frame))
