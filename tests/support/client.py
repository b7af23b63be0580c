"""A client of the chat, from outside: people who register, log in, converse over HTTP and listen on sockets.

Every wait has a deadline. What the server refuses is an answer with a `problem`, not an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.domain.orm import uuid7

Json = dict[str, Any]

API = "/api/v1"
PASSWORD = "correct horse battery staple"
PATIENCE = 10.0
"""Seconds for anything that must happen."""


class Fault(msgspec.Struct, frozen=True):
    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """RFC 9457, as the contract has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] = []

    @property
    def fields(self) -> set[str]:
        return {fault.field for fault in self.errors}


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.content) if self.content else None

    @property
    def problem(self) -> Problem:
        """The problem it is; anything else fails the test."""
        assert self.status >= 400, f"{self.status}: {self.content[:200]!r}"
        assert self.headers["content-type"] == "application/problem+json", self.content[:200]
        problem = msgspec.json.decode(self.content, type=Problem)
        assert problem.status == self.status
        assert problem.type == f"urn:problem-type:{problem.code}"
        assert problem.title
        assert problem.detail
        return problem

    def good(self, *statuses: int) -> Any:
        """Its body, once it is a success (one of `statuses`, if given)."""
        assert self.status in statuses if statuses else self.status < 300, f"{self.status}: {self.content[:300]!r}"
        return self.body


class Node:
    """One API process as clients see it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url, timeout=20, limits=httpx.Limits(max_connections=256), trust_env=False
        )

    async def request(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> Answer:
        """Raises httpx.HTTPError when there is no answer."""
        answer = await self._http.request(method, path, headers=headers, **kwargs)
        return Answer(answer.status_code, answer.headers, answer.content)

    async def register(self, first_name: str) -> Person:
        """A new account, logged in."""
        email = f"{first_name.lower()}.{uuid7()}@example.org"
        account = {"email": email, "password": PASSWORD, "first_name": first_name, "last_name": "Tester"}
        (await self.request("POST", f"{API}/users/", json=account)).good(201)
        return await self.log_in(email)

    async def log_in(self, email: str, password: str = PASSWORD) -> Person:
        answer = await self.request("POST", f"{API}/login/", json={"email": email, "password": password})
        body = answer.good(200)
        return Person(self, body["user"]["id"], email, body["access"], body["refresh"])

    async def close(self) -> None:
        await self._http.aclose()


class Person:
    """A user with one login, at one process; `at` is the same login at another process."""

    def __init__(self, node: Node, id: str, email: str, access: str, refresh: str) -> None:  # noqa: A002
        self.node = node
        self.id = id
        self.email = email
        self.access = access
        self.refresh = refresh

    def at(self, node: Node) -> Person:
        return Person(node, self.id, self.email, self.access, self.refresh)

    async def call(self, method: str, path: str, json: Any = None, **kwargs: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.access}", **kwargs.pop("headers", {})}
        if json is not None:
            kwargs["json"] = json
        return await self.node.request(method, API + path, headers=headers, **kwargs)

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.call("GET", path, params=query)).good()

    async def post(self, path: str, **body: Any) -> Any:
        return (await self.call("POST", path, body)).good()

    async def converse(self, *members: Person, is_private: bool = True) -> str:
        """A new conversation with these members; its id."""
        created = await self.post("/conversations/", name="Engines", is_private=is_private)
        for member in members:
            await self.post(f"/conversations/{created['id']}/add_member/", user=member.id)
        return str(created["id"])

    async def say(self, conversation: str, text: str, **fields: Any) -> Answer:
        body = {"message_type": "text", "text": text, **fields}
        return await self.call("POST", f"/conversations/{conversation}/messages/", body)

    async def page(self, conversation: str, **query: Any) -> list[Json]:
        found: list[Json] = (await self.get(f"/conversations/{conversation}/messages/", **query))["items"]
        return found

    async def history(self, conversation: str) -> list[Json]:
        """All messages, walked page by page."""
        messages: list[Json] = []
        while page := await self.page(conversation, after=len(messages), limit=500):
            messages += page
        return messages

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Socket]:
        """A socket that has been greeted."""
        async with Socket.opened(self.node, self.access) as socket:
            await socket.expect("hello")
            yield socket


class Socket:
    """Every frame that one socket received, in order; `expect` returns those not yet consumed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.frames: list[Json] = []
        self.code: int | None = None
        self._connection = connection
        self._at = 0
        self._told = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def opened(cls, node: Node, access: str | None) -> AsyncIterator[Socket]:
        """A socket, however it is received."""
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        url = node.url.replace("http:", "ws:") + "/ws/conversations"
        async with connect(
            url, additional_headers=headers, compression=None, max_size=None, proxy=None, close_timeout=2
        ) as connection:
            socket = cls(connection)
            try:
                yield socket
            finally:
                await connection.close()
                await socket._reading

    async def say(self, type: str, **fields: object) -> None:  # noqa: A002 - the field's name on the wire
        await self._connection.send(msgspec.json.encode({"type": type, **fields}).decode())

    async def expect(self, *types: str, within: float = PATIENCE, **fields: object) -> Json:
        """The next frame of one of these types with these fields; what stands before it is passed over."""
        try:
            async with asyncio.timeout(within):
                while (frame := self._next(types, fields)) is None:
                    assert self.code is None, f"closed with {self.code} before {types} {fields}"
                    self._told.clear()
                    await self._told.wait()
                return frame
        except TimeoutError:
            received = [frame["type"] for frame in self.frames]
            raise AssertionError(f"no {types} {fields} within {within} s; told were {received[-20:]}") from None

    def _next(self, types: tuple[str, ...], fields: dict[str, object]) -> Json | None:
        while self._at < len(self.frames):
            frame = self.frames[self._at]
            self._at += 1
            if frame["type"] in types and fields.items() <= frame.items():
                return frame
        return None

    async def closed(self, within: float = PATIENCE) -> int:
        """The close code, once it is closed."""
        async with asyncio.timeout(within):
            await asyncio.wait([self._reading])
        assert self.code is not None
        return self.code

    async def settle(self) -> None:
        """Waits for all frames that this process has sent so far: frames keep their order, so the pong comes last."""
        await self.say("ping", ref="settle")
        await self.expect("pong", ref="settle")

    def received(self, *types: str, conversation: str | None = None) -> list[Json]:
        return [
            frame
            for frame in self.frames
            if frame["type"] in types and conversation in (None, frame.get("conversation"))
        ]

    async def _read(self) -> None:
        try:
            async for data in self._connection:
                assert isinstance(data, str), "frames are text"
                self.frames.append(msgspec.json.decode(data))
                self._told.set()
        except ConnectionClosed:
            pass
        finally:
            self.code = self._connection.close_code or 1006
            self._told.set()


async def eventually(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until `condition()`, which may be a coroutine, is true."""
    deadline = time.monotonic() + within
    while True:
        found = condition()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert time.monotonic() < deadline, f"it did not come true within {within} s"
        await asyncio.sleep(0.02)
