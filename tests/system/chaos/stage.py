"""The processes of a run: a Postgres, a Valkey and a mail server of its own, two API processes behind proxies, a worker
and a beat.

All are started from one thread that lives as long as the run: the kernel ends a child when the thread that started it
ends. Each API process keeps its port through every restart, as behind a load balancer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from redis import Redis

from app.cli.database import migrate
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.processes import free_port
from app.local.valkey import EmbeddedValkey
from app.realtime.presence import KNOWN_FROM
from tests.support.client import Node
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.processes import PROGRAM, Api, Process, Processes
from tests.support.proxy import Proxy
from tests.support.servers import public_directory
from tests.support.wires import PostgresWire, Trap

T = TypeVar("T")
NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})
NO_OTHERS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})
REQUEST_SECONDS: Final = 8.0
ENVIRONMENT: Final = {
    "ACCESS_TOKEN_MINUTES": "600",
    "WS_FRAMES_PER_SECOND": "500",
    # Absent users are notified by mail in every sweep.
    "NOTIFY_AFTER_SECONDS": "0",
    "NOTIFY_QUIET_MINUTES": "0",
}
TASKS_AT_ONCE: Final = 2
# Durable, unlike the suite's: what was committed must outlive a kill. A small one starts again sooner.
POSTGRES: Final = {
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
    "log_line_prefix": "%m [%p] %b ",
    "log_min_duration_statement": "1s",
    "log_parameter_max_length": "0",
    "log_lock_waits": "on",
    "deadlock_timeout": "500ms",
    "log_checkpoints": "on",
}
SLOW_LINES: Final = re.compile(r"duration:|still waiting|acquired|lock timeout|checkpoint|Process holding")


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
        """Cleared while a fault keeps it down."""

    @property
    def running(self) -> Api:
        assert self.api is not None
        return self.api


class Stage:
    """Both servers and all processes. `directory` is the run's own; `programs` say which verbs another program runs."""

    def __init__(self, directory: Path, programs: Mapping[str, Sequence[str]]) -> None:
        self.directory = directory
        self._programs = programs
        self.postgres = EmbeddedPostgres(directory / "postgres", options=POSTGRES)
        self.valkey = EmbeddedValkey(directory / "valkey")
        self.places: list[Place] = []
        self.mailboxes = Mailboxes()
        self.worker: Process | None = None
        self._starter = ThreadPoolExecutor(1, "starter")
        self._processes: Processes | None = None

    @property
    def url(self) -> str:
        return self.postgres.url()

    def slow_lines(self, limit: int) -> list[str]:
        """The last lines of Postgres's logs about statements over a second, waits for locks, and checkpoints."""
        logs = (self.postgres.log.with_suffix(".log.1"), self.postgres.log)
        lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
        return [line[:400] for line in lines if SLOW_LINES.search(line)][-limit:]

    async def do(self, what: Callable[[], T]) -> T:
        """Something that blocks, in the starter's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._starter, what)

    async def start(self, stack: AsyncExitStack) -> None:
        stack.callback(self._starter.shutdown)
        for server in (self.postgres, self.valkey):
            stack.push_async_callback(self.do, server.stop)
            await self.do(server.start)
        with Redis.from_url(self.valkey.url, socket_timeout=3) as client:
            # As if it had run for long: an empty Redis knows only after twenty seconds who is not there.
            await self.do(lambda: client.set(KNOWN_FROM, int(time.time()) - 1))
        urls = [
            url.replace("postgresql:", "postgresql+psycopg:", 1) for url in (self.postgres.url(role=OWNER), self.url)
        ]
        await self.do(lambda: migrate(*urls))
        for name in ("one", "two"):
            trap = Trap()
            postgres = Proxy(self.url, partial(PostgresWire, trap))
            redis = Proxy(self.valkey.url)
            for proxy in (postgres, redis):
                proxy.start()
                stack.callback(proxy.stop)
            self.places.append(Place(name, free_port(), postgres, redis, trap))
        self._processes = Processes(self.directory, self.url, self.valkey.url)
        self.mailboxes, port = stack.enter_context(mail_server())
        self._processes.environment |= {**ENVIRONMENT, "SMTP_URL": f"smtp://127.0.0.1:{port}"}
        stack.push_async_callback(self.do, self._processes.end)
        await self.do(self._start_all)
        for place in self.places:
            place.up.set()
            stack.push_async_callback(place.node.close)

    async def restart(self, place: Place, program: Sequence[str] = ()) -> None:
        """Another process in the place of one that is gone, perhaps of another program; ready when it returns.

        The starter's thread only starts it: it may be what brings back the Postgres that this process waits for.
        """
        api = await self.do(lambda: self._start(place, program))
        await asyncio.to_thread(api.wait_ready)
        place.up.set()

    async def exchange(self, place: Place, environment: Mapping[str, str]) -> None:
        """Another process in the place of one that runs, with more in its environment."""
        place.up.clear()
        await self.do(place.running.kill)
        api = await self.do(lambda: self._start(place, environment=environment))
        await asyncio.to_thread(api.wait_ready)
        place.up.set()

    def count_said(self, words: str) -> int:
        """How often any process of the run, gone ones too, has said these words."""
        return sum(log.read_text(errors="replace").count(words) for log in self.directory.glob("*.log"))

    @property
    def up(self) -> list[Place]:
        """The places that no fault keeps down."""
        return [place for place in self.places if place.up.is_set()]

    def other(self, place: Place) -> Place:
        return self.places[1] if place is self.places[0] else self.places[0]

    def _start_all(self) -> None:
        for api in [self._start(place) for place in self.places]:
            api.wait_ready()
        assert self._processes is not None
        self.start_worker()
        self._processes.beat()

    def start_worker(self) -> None:
        """In the starter's thread, as all that starts processes."""
        assert self._processes is not None
        program = self._programs.get("worker", PROGRAM)
        self.worker = self._processes.worker(concurrency=TASKS_AT_ONCE, program=program)

    def start_beat(self) -> Process:
        """Another beat."""
        assert self._processes is not None
        return self._processes.beat()

    def _start(self, place: Place, program: Sequence[str] = (), environment: Mapping[str, str] = NO_MORE) -> Api:
        assert self._processes is not None
        environment = {
            **self._processes.environment,
            "DATABASE_URL": place.postgres.through,
            "REDIS_URL": place.redis.through,
            **environment,
        }
        place.api = Api(
            ["--grace=4"], self.directory, environment, place.port, program or self._programs.get("api", PROGRAM)
        )
        self._processes.keep(place.api)
        return place.api


@asynccontextmanager
async def set_stage(programs: Mapping[str, Sequence[str]] = NO_OTHERS) -> AsyncIterator[Stage]:
    """Everything started; ended however the run ends. `programs`: by verb, what runs in the place of `chat`."""
    with public_directory() as directory:
        async with AsyncExitStack() as stack:
            stage = Stage(directory, programs)
            await stage.start(stack)
            yield stage
