"""Defects that show when something else is broken: stopping, waiting, and coming back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.db import database, engine
from app.db.autocommit import AutocommitPool
from app.domain.error_catalogue import database_unavailable
from app.domain.errors import Unavailable
from app.realtime import endpoint
from app.realtime.endpoint import SocketEndpoint
from app.redis.client import RedisClient
from app.server import web_server
from tests.system.chaos.checks import faults
from tests.system.chaos.mutations.declared import fire, mutation, replace

WAITED_SECONDS = 2.5
"""The promise is two."""
GOING_AWAY = 1001
LATE_SECONDS = 9.0
"""The promise is five."""


@mutation("I13", faults.stops_are_clean, faults=("SIGTERM under load",))
def stop_with_another_code() -> None:
    """A stopping process closes its sockets with 1001."""

    def rude(drain: Any) -> Any:
        async def leave(self: SocketEndpoint) -> None:
            fire(len(self))
            replace(endpoint, "RESTARTING", lambda _: GOING_AWAY)
            await drain(self)

        return leave

    replace(SocketEndpoint, "drain", rude)


@mutation("I13", faults.stops_are_clean, faults=("SIGTERM under load",))
def stop_that_fails() -> None:
    """A process that receives a stop signal exits with a failure code."""

    def failing(run: Any) -> Any:
        def serve(config: web_server.Config) -> int:
            run(config)
            fire()
            return 1

        return serve

    replace(web_server, "run", failing)


@mutation("I12", faults.nothing_waits_for_redis, faults=("Redis silent (proxy swallows)",))
def redis_waited_for() -> None:
    """The wait for Redis is ten times as long as allowed."""

    def patient(call: Any) -> Any:
        async def wait(self: RedisClient, operation: Any, *, deadline: float = 0.0) -> Any:
            began = time.monotonic()
            try:
                return await call(self, operation, deadline=WAITED_SECONDS)
            finally:
                fire(time.monotonic() - began >= WAITED_SECONDS)

        return wait

    replace(RedisClient, "call", patient)


@mutation("I16", faults.every_fault_was_survived, faults=("Postgres restarts",))
def postgres_not_asked_again() -> None:
    """After losing Postgres, a process takes no connection for nine seconds."""
    lost: list[float] = []

    def noticing(translate: Any) -> Any:
        def note(context: Any) -> Any:
            error = translate(context)
            if type(error) is Unavailable and error.code != "busy" and not lost:
                lost.append(time.monotonic())
            return error

        return note

    def sulk() -> None:
        if lost and time.monotonic() - lost[0] < LATE_SECONDS:
            fire()
            raise database_unavailable()

    def sulking(connect: Any) -> Any:
        async def refuse(*arguments: Any) -> Any:
            sulk()
            return await connect(*arguments)

        return refuse

    def sulking_alone(taken: Any) -> Any:
        @asynccontextmanager
        async def refuse(self: Any) -> AsyncIterator[Any]:
            sulk()
            async with taken(self) as connection:
                yield connection

        return refuse

    replace(engine, "translate", noticing)
    replace(database.Database, "_connect", sulking)
    replace(database, "open_autocommit", sulking)
    replace(AutocommitPool, "open", sulking_alone)
