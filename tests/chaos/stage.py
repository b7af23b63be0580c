"""The processes of a run: a Postgres and a Valkey of its own, proxies before them, two API processes and a worker.

All are started from one thread that lives as long as the run: the kernel ends a child when the thread that started it
ends. Each API process keeps its port through every restart, as behind a load balancer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from app.cli.database import migrate
from app.local.postgres import Postgres
from app.local.processes import free_port
from app.local.valkey import Valkey
from tests.support.client import Node
from tests.support.processes import Api, Process, Processes
from tests.support.proxy import Proxy
from tests.support.servers import public_directory
from tests.support.wires import PostgresWire, Trap

T = TypeVar("T")
REQUEST_SECONDS: Final = 8.0
ENVIRONMENT: Final = {"ACCESS_TOKEN_MINUTES": "600", "WS_FRAMES_PER_SECOND": "500"}
# Durable, unlike the suite's: what was committed must outlive a kill. A small one starts again sooner.
POSTGRES: Final = {"shared_buffers": "64MB", "max_wal_size": "2GB"}


class Place:
    """One API process, whichever it is at the moment, with its own ways to Postgres and Redis."""

    def __init__(self, name: str, port: int, postgres: Proxy, redis: Proxy, trap: Trap) -> None:
        self.name = name
        self.port = port
        self.postgres = postgres
        self.redis = redis
        self.trap = trap
        self.node = Node(f"http://127.0.0.1:{port}")
        self.api: Api | None = None
        self.up = asyncio.Event()
        """Cleared while somebody has it down on purpose."""

    @property
    def running(self) -> Api:
        assert self.api is not None
        return self.api


class Stage:
    """Both servers and all processes. `directory` is the run's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = Postgres(directory / "postgres", options=POSTGRES)
        self.valkey = Valkey(directory / "valkey")
        self.places: list[Place] = []
        self.worker: Process | None = None
        self._starter = ThreadPoolExecutor(1, "starter")
        self._processes: Processes | None = None

    @property
    def url(self) -> str:
        return self.postgres.url()

    async def do(self, what: Callable[[], T]) -> T:
        """Something that blocks, in the starter's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._starter, what)

    async def start(self, stack: AsyncExitStack) -> None:
        stack.callback(self._starter.shutdown)
        for server in (self.postgres, self.valkey):
            stack.push_async_callback(self.do, server.stop)
            await self.do(server.start)
        await self.do(lambda: migrate(self.url.replace("postgresql:", "postgresql+psycopg:", 1)))
        for name in ("one", "two"):
            trap = Trap()
            postgres = Proxy(self.url, partial(PostgresWire, trap))
            redis = Proxy(self.valkey.url)
            for proxy in (postgres, redis):
                proxy.start()
                stack.callback(proxy.stop)
            self.places.append(Place(name, free_port(), postgres, redis, trap))
        self._processes = Processes(self.directory, self.url, self.valkey.url)
        self._processes.environment.update(ENVIRONMENT)
        stack.push_async_callback(self.do, self._processes.end)
        await self.do(self._start_all)
        for place in self.places:
            place.up.set()
            stack.push_async_callback(place.node.close)

    async def restart(self, place: Place) -> None:
        """Another process in the place of one that is gone; ready when it returns."""
        await self.do(lambda: self._start(place).wait_ready())
        place.up.set()

    @property
    def up(self) -> list[Place]:
        """Those that nobody has down on purpose."""
        return [place for place in self.places if place.up.is_set()]

    def other(self, place: Place) -> Place:
        return self.places[1] if place is self.places[0] else self.places[0]

    def _start_all(self) -> None:
        for api in [self._start(place) for place in self.places]:
            api.wait_ready()
        assert self._processes is not None
        self.worker = self._processes.worker()

    def _start(self, place: Place) -> Api:
        assert self._processes is not None
        environment = {
            **self._processes.environment,
            "DATABASE_URL": place.postgres.through,
            "REDIS_URL": place.redis.through,
        }
        place.api = Api(["--grace=4"], self.directory, environment, place.port)
        self._processes.keep(place.api)
        return place.api


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """Everything started; ended however the run ends."""
    with public_directory() as directory:
        async with AsyncExitStack() as stack:
            stage = Stage(directory)
            await stage.start(stack)
            yield stage
