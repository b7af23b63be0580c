"""The whole application in this process, with its requests' statements to Postgres and calls to Redis counted.

Counts do not move with the machine: what is asserted here is never a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import event

from app.db import AutocommitStatement
from app.domain.rates import Rate
from app.domain.users.caller import Caller
from app.main import create_app
from app.settings import Settings
from app.wiring.runtime import Runtime
from tests.support.nodes import eventually
from tests.support.scene import group, person
from tests.support.web import API, Client, serving

TRIES = 5
HIGH = Rate(1_000_000, 60)
UNTHROTTLED = {f"throttle_{name}": HIGH for name in ("requests", "address", "messages", "user")}


class Cost(msgspec.Struct):
    """What was counted: statements on the connections of requests, and every call to Redis."""

    statements: list[str] = []
    calls: int = 0


class Chat:
    """An application that trusts what it hears, a client of it, and its inside."""

    def __init__(self, app: Litestar, client: Client) -> None:
        self.app = app
        self.client = client
        self.runtime = cast("Runtime", app.state.retiring)

    async def person(self, first_name: str = "Ada") -> Caller:
        return await person(self.runtime.database, first_name)

    async def group(self, *people: Caller) -> UUID:
        return await group(self.runtime.database, *people)

    def access(self, caller: Caller) -> str:
        now = datetime.now(UTC)
        return self.runtime.tokens.pair(
            user=caller.user, session=caller.session, generation=1, rotated_at=now, expires_at=now + timedelta(days=1)
        ).access

    async def ask(self, by: Caller, method: str, path: str, json: Any = None) -> Any:
        """The body of the answer, once it is a success."""
        answer = await self.client.request(
            method, f"{API}/conversations/{path}", json=json, headers={"Authorization": f"Bearer {self.access(by)}"}
        )
        assert answer.is_success, answer.text
        return answer.json()

    async def send(self, conversation: UUID, by: Caller) -> Any:
        return await self.ask(by, "POST", f"{conversation}/messages/", {"message_type": "text", "text": "hello"})

    @contextmanager
    def counted(self) -> Iterator[Cost]:
        """Looks and repairs have another engine, so the statements are those of requests."""
        cost = Cost()
        engine = self.runtime.database.engine.sync_engine
        execute, call = AutocommitStatement.execute, self.runtime.redis_client.call

        def note(_c: object, _k: object, statement: str, *_: object) -> None:
            cost.statements.append(statement)

        async def execute_counted(single: AutocommitStatement, statement: Any, parameters: Any) -> list[Any]:
            cost.statements.append(str(statement))
            return await execute(single, statement, parameters)

        async def call_counted(operation: Any, **named: Any) -> Any:
            cost.calls += 1
            return await call(operation, **named)

        event.listen(engine, "before_cursor_execute", note)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AutocommitStatement, "execute", execute_counted)
            patch.setattr(self.runtime.redis_client, "call", call_counted)
            try:
                yield cost
            finally:
                event.remove(engine, "before_cursor_execute", note)

    async def least(
        self, prepare: Callable[[], Awaitable[Callable[[], Awaitable[object]]]], count: Callable[[Cost], int]
    ) -> int:
        """The smallest count of several tries: what goes on in the background, or was not trusted for a moment on a
        slow machine, only adds to it. `prepare` gives what is then counted."""
        counts = []
        for _ in range(TRIES):
            request = await prepare()
            await eventually(lambda: self.runtime.live_delivery.hub.trusted)
            with self.counted() as cost:
                await request()
            counts.append(count(cost))
        return min(counts)

    def statements(self, prepare: Callable[[], Awaitable[Callable[[], Awaitable[object]]]]) -> Awaitable[int]:
        return self.least(prepare, lambda cost: len(cost.statements))

    def calls(self, prepare: Callable[[], Awaitable[Callable[[], Awaitable[object]]]]) -> Awaitable[int]:
        return self.least(prepare, lambda cost: cost.calls)


@asynccontextmanager
async def chatting(settings: Settings, **changes: Any) -> AsyncIterator[Chat]:
    """The application on `settings`, with `changes`, under limits no test reaches: throttles still cost their calls."""
    app = create_app(msgspec.structs.replace(settings, **(UNTHROTTLED | changes)))
    async with serving(app) as client:
        chat = Chat(app, client)
        await eventually(lambda: chat.runtime.live_delivery.hub.trusted and chat.runtime.bus.connected)
        yield chat


@pytest.fixture(scope="module")
async def chat(settings: Settings) -> AsyncIterator[Chat]:
    async with chatting(settings) as running:
        yield running
