"""A program in Node that uses the TypeScript client (its `test/driver.ts`), and what its clients report."""

from __future__ import annotations

import asyncio
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.client import PASSWORD, Person, eventually
from tests.support.node import NODE, ROOT, environment

PACKAGE = ROOT / "clients" / "typescript"
DRIVER = PACKAGE / "test" / "driver.ts"
WITHIN = 60.0
LONGEST_LINE = 64 * 1024 * 1024

Json = dict[str, Any]


class Failed(Exception):
    """The client threw an error. `error` holds its `name`, and `code`, `status` and others as far as it has them."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.error = error


class Program:
    """One process. Every command is answered, or fails with the process."""

    def __init__(self, process: Process) -> None:
        self.clients: dict[str, Client] = {}
        self._process = process
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Program]:
        process = await asyncio.create_subprocess_exec(
            *(str(NODE), "--disable-warning=ExperimentalWarning", str(DRIVER)),
            env=environment(),
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE,
        )
        program = cls(process)
        try:
            yield program
        finally:
            await program.kill()

    async def kill(self) -> None:
        """As when a page is closed: nothing is said good-bye to."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        # Its pipe is closed now, rather than by the garbage collector.
        self._process._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way

    async def open(self, name: str, url: str, stores: Path | None = None, **options: Any) -> Client:
        """A client without a login. Those with the same folder `stores` share their tokens, as tabs do."""
        client = self.clients[name] = Client(self, name)
        await self.run("open", chat=name, options={"url": url, **options}, stores=str(stores) if stores else None)
        return client

    async def run(self, do: str, **fields: Any) -> Any:
        """Raises Failed."""
        assert self._process.stdin is not None
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "do": do, **{name: value for name, value in fields.items() if value is not None}}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "event" in said:
                self.clients[said["chat"]].received.append(said["event"])
            elif "shown" in said:
                self.clients[said["chat"]].shown.append(said["shown"])
            elif "log" in said:
                print(said["log"])
            elif "error" in said:
                self._answers.pop(said["id"]).set_exception(Failed(said["error"]))
            else:
                self._answers.pop(said["id"]).set_result(said["value"])
        for answer in self._answers.values():
            answer.cancel()


class Client:
    """`received` holds all events of one client, in order, `shown` what a page showed at each since `watch`."""

    def __init__(self, program: Program, name: str) -> None:
        self.received: list[Json] = []
        self.shown: list[list[str | None]] = []
        self._program = program
        self._name = name

    async def call(self, method: str, *arguments: Any) -> Any:
        """Raises Failed."""
        return await self._program.run("call", chat=self._name, method=method, args=list(arguments))

    async def get(self, name: str) -> Any:
        return await self._program.run("get", chat=self._name, name=name)

    async def watch(self, conversation: str) -> None:
        """From now on notes the `client_id` of each message, and of the pending ones, at each event."""
        await self._program.run("watch", chat=self._name, name=conversation)

    async def log_in(self, person: Person) -> None:
        """Logs in, and waits until everything has arrived."""
        await self.call("logIn", {"email": person.email, "password": PASSWORD})
        await self.comes_to("live")

    async def say(self, conversation: str, text: str) -> Json:
        pending: Json = await self.call("send", conversation, {"text": text})
        return pending

    async def texts(self, conversation: str) -> list[str]:
        return [message["text"] for message in await self.call("messages", conversation)]

    async def pending(self, conversation: str) -> list[tuple[str, str]]:
        """The text and the state of each."""
        return [(one["body"]["text"], one["state"]) for one in await self.call("pending", conversation)]

    def of(self, kind: str, **fields: Any) -> list[Json]:
        return [event for event in self.received if event["type"] == kind and fields.items() <= event.items()]

    async def receives(self, kind: str, count: int = 1, **fields: Any) -> None:
        await eventually(lambda: len(self.of(kind, **fields)) >= count, WITHIN)

    async def comes_to(self, state: str, count: int = 1) -> None:
        await self.receives("state", count, state=state)

    async def has_sent_all(self, conversation: str) -> None:
        async def is_empty() -> bool:
            return not await self.call("pending", conversation)

        await eventually(is_empty, WITHIN)

    async def assert_in_sync(self, person: Person) -> None:
        """Waits until its view equals a fresh fetch by `person`, the same user at a process without faults."""

        async def agrees() -> bool:
            return await self._view() == await self._fetched(person)

        with suppress(AssertionError):
            await eventually(agrees, WITHIN)
        assert await self._view() == await self._fetched(person)

    def assert_no_duplicates(self) -> None:
        """No change of a message arrived twice."""
        messages = [event["message"] for event in self.of("message")]
        counts = Counter((message["conversation"], message["position"]) for message in messages)
        assert [change for change, count in counts.items() if count > 1] == []

    async def _view(self) -> tuple[Json, Json]:
        rows = await self.get("conversations")
        return rows, {conversation: await self.call("messages", conversation) for conversation in rows}

    async def _fetched(self, person: Person) -> tuple[Json, Json]:
        """The rows, and of each conversation as many of the newest messages as the client holds."""
        rows = {row["id"]: row for row in (await person.get("/conversations/", limit=100))["items"]}
        held = {conversation: len(await self.call("messages", conversation)) for conversation in rows}
        history = {conversation: await person.history(conversation) for conversation in rows}
        return rows, {
            conversation: messages[len(messages) - held[conversation] :] for conversation, messages in history.items()
        }


@asynccontextmanager
async def watching(url: str, person: Person, stores: Path | None = None, **options: Any) -> AsyncIterator[Client]:
    """A connected client in a process of its own."""
    async with Program.running() as program:
        client = await program.open("chat", url, stores, **options)
        await client.log_in(person)
        yield client
