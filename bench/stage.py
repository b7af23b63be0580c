"""The environment of the measurements: servers, a populated database, one API process. All of it ends with the bench.

The servers are embedded, with their data under DATA_DIR/bench, or those of `DATABASE_URL` and `REDIS_URL`. On such
servers the bench creates and drops databases named `chat_bench…`, and removes only its own conversations' cache keys.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
import redis
from psycopg import sql

from app.cli.database import migrate
from app.domain.auth.tokens import Tokens
from app.local import data_dir_lock, embedded
from app.local.character_type import character_type
from app.local.database_roles import ADMINISTRATOR
from app.local.processes import free_port
from app.settings import Settings, load
from app.store.page_cache import key_of
from bench import population, textbook
from bench.cores import Cores
from bench.load import Feed
from bench.population import Population, Scale
from bench.processes import ROOT, Server, running

LIFTED = {
    # Limits that are never reached, with the windows of production: a throttle's cost depends on its window's length.
    "THROTTLE_MESSAGES": "1000000000/minute",
    "THROTTLE_USER": "1000000000/day",
    "THROTTLE_REQUESTS": "1000000000/minute",
    "THROTTLE_ADDRESS": "1000000000/minute",
    "THROTTLE_ADDITIONS": "1000000000/minute",
    "THROTTLE_ADDED": "1000000000/minute",
    "WS_FRAMES_PER_SECOND": "100000",
}
ACCESS_MINUTES = 10_000
_SCHEMA = [*sorted((ROOT / "alembic").rglob("*.sql")), *sorted((ROOT / "alembic" / "versions").glob("*.py"))]
_SOURCES = [Path(population.__file__), Path(textbook.__file__), *_SCHEMA]


class Pace(msgspec.Struct, frozen=True):
    """Duration and intensity: seconds and rounds of every measure, and the maximum number of clients. `calm` is the
    seconds of measuring socket latency, `settle` the seconds until memory is measured, `tries` the number of single
    requests timed by a measure that does not run by duration."""

    warm_up: float = 2.0
    seconds: float = 3.0
    rounds: int = 5
    most_clients: int = 64
    calm: float = 10.0
    settle: float = 3.0
    tries: int = 200

    def clients(self, wanted: int) -> int:
        return min(wanted, self.most_clients)


QUICKLY = Pace(warm_up=0.0, seconds=0.5, rounds=1, most_clients=2, calm=0.6, settle=0.5, tries=20)


class Stage:
    """Created by `opened`. Servers started on demand (API, references) run until the stage closes."""

    def __init__(self, directory: Path, scale: Scale, pace: Pace, cores: Cores, life: ExitStack) -> None:
        self.directory = directory
        self.pace = pace
        self.cores = cores
        self.people = Population(scale)
        self.life = life
        self.secret = secrets.token_urlsafe(48)
        self.database_url = os.environ.get("DATABASE_URL", "")
        self.redis_url = os.environ.get("REDIS_URL", "")
        self.embedded = not self.database_url
        # On an external server several benches may run at once, and each removes its databases.
        self.prefix = "chat_bench" if self.embedded else f"chat_bench_{secrets.token_hex(3)}"
        self._tokens = Tokens(self.secret, access_minutes=ACCESS_MINUTES)
        self._began = datetime.now(UTC)

    @property
    def scale(self) -> Scale:
        return self.people.scale

    def start(self) -> None:
        """Starts the servers and prepares the database, but starts no API yet."""
        started = embedded.start(self.directory, postgres=not self.database_url, redis=not self.redis_url)
        self.life.callback(started.stop)
        embedded_url = started.postgres.url(role=ADMINISTRATOR) if started.postgres else ""
        server = "postgresql:" + (self.database_url or embedded_url).partition(":")[2]
        self.server_url = server
        self.redis_url = self.redis_url or started.redis_url
        self.database_url = self.copy_of("run", self.kept("seed", self.scale))
        self.forget_caches(self.people)

    def environment(self) -> dict[str, str]:
        """Returns the product's settings as deployed, with throttles lifted. This machine's settings are blanked."""
        own = {name.upper(): "" for name in Settings.__struct_fields__}
        return {
            **own,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": self.secret,
            "ENVIRONMENT": "production",
            "PUBLIC_URL": "http://127.0.0.1",
            "WEB_CONCURRENCY": "1",
            "ACCESS_TOKEN_MINUTES": str(ACCESS_MINUTES),
            "DATA_DIR": str(self.directory),
            **LIFTED,
        }

    def settings(self, **changed: str) -> Settings:
        """Returns the settings that an API process of the bench loads."""
        return load({**self.environment(), **changed}, env_file=self.directory / "no.env")

    @cached_property
    def api(self) -> Server:
        """The measured API process."""
        return self.life.enter_context(self.another_api())

    @contextmanager
    def another_api(self, **settings: str) -> Iterator[Server]:
        """Runs another API process on the same core."""
        port = free_port()
        environment = {**self.environment(), "PORT": str(port), **settings}
        command = [sys.executable, "-m", "app.cli", "api", "--host", "127.0.0.1"]
        with running(
            command,
            port=port,
            path="/readyz",
            cores=self.cores,
            log=self.directory / "log" / f"api.{port}.log",
            environment=environment,
        ) as server:
            yield server

    def reference(self, module: str) -> Server:
        """Returns the server `python -m bench.MODULE`. The first call starts it."""
        if module not in self._references:
            port = free_port()
            self._references[module] = self.life.enter_context(
                running(
                    [sys.executable, "-m", f"bench.{module}", str(port)],
                    port=port,
                    path="",
                    cores=self.cores,
                    log=self.directory / "log" / f"{module}.log",
                    environment=self.environment(),
                )
            )
        return self._references[module]

    @cached_property
    def _references(self) -> dict[str, Server]:
        return {}

    def token(self, number: int) -> str:
        """Returns an access token for user `number`, as the API would issue it."""
        return self._tokens.pair(
            user=population.user(number),
            session=population.login(number),
            generation=1,
            rotated_at=self._began,
            expires_at=self._began + timedelta(days=365),
        ).access

    def textbook_token(self, number: int) -> str:
        return textbook.token(population.user(number), self.secret)

    def feed(self, name: str, server: Server, requests: Sequence[bytes]) -> Feed:
        return Feed(self.directory / "feeds" / name, server.port, requests)

    def count(self, query: str) -> int:
        """Returns the number that `query` selects."""
        with psycopg.connect(self.database_url, connect_timeout=3) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def settle(self, url: str = "") -> None:
        """Vacuums and checkpoints now, so that neither runs during a measurement."""
        with psycopg.connect(url or self.database_url, autocommit=True, connect_timeout=3) as connection:
            connection.execute("VACUUM (ANALYZE)")
            with suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute("CHECKPOINT")

    # Databases

    def copy_of(self, what: str, template: str) -> str:
        """Creates a database from `template`, dropped when the stage closes. Returns its URL."""
        name = f"{self.prefix}_{what}"
        self.drop(name)
        self.life.callback(self.drop, name)
        # In a data directory of an earlier version, template0 has an ASCII-only character type.
        letters = sql.SQL("LC_CTYPE {}").format(character_type()) if template == "template0" else sql.SQL("")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
        with self._administer() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template), letters))
        return self.url(name)

    def drop(self, name: str) -> None:
        with self._administer() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def kept(self, what: str, scale: Scale) -> str:
        """Returns the name of a database migrated and populated to `scale`. Creates it unless an earlier run did."""
        digest = hashlib.sha256(scale.name.encode())
        for source in _SOURCES:
            digest.update(source.read_bytes())
        prefix = f"{self.prefix}_{what}_"
        name = prefix + digest.hexdigest()[:10]
        with self._administer() as connection:
            there = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
        for outdated in there:
            if outdated.startswith(prefix) and outdated != name:
                self.drop(outdated)
        if name not in there:
            self._make(name, scale)
        if not self.embedded:
            self.life.callback(self.drop, name)
        return name

    def _make(self, name: str, scale: Scale) -> None:
        print(f"The database {name} is made, once …", flush=True)
        # Rename it when complete: an interrupted run leaves no database that looks complete.
        url = self.copy_of("draft", "template0")
        migrate(url.replace("postgresql:", "postgresql+psycopg:", 1))
        with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
            population.fill(connection, Population(scale), lambda line: print(line, flush=True))
        if scale.ring:
            textbook.fill(url)
        self.settle(url)
        with self._administer() as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(f"{self.prefix}_draft"), sql.Identifier(name)
                )
            )

    def forget_caches(self, people: Population) -> None:
        """Deletes cached pages: messages of an earlier run have the same ids and must not appear in this run."""
        keys = [key_of(conversation) for conversation, _, _ in people.conversations()]
        with redis.Redis.from_url(self.redis_url, socket_timeout=5) as client:
            client.unlink(*keys)

    def _administer(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=3)

    def url(self, database: str) -> str:
        """Returns the URL of a database on the bench's server."""
        return urlunsplit(urlsplit(self.server_url)._replace(path=f"/{database}"))


@contextmanager
def opened(directory: Path, scale: Scale, pace: Pace) -> Iterator[Stage]:
    """Yields a stage with its servers running, and stops them all at the end.

    Raises:
        StartRefused: another bench uses `directory`, or a server does not start.
    """
    cores = Cores()
    with ExitStack() as life:
        life.enter_context(data_dir_lock.held(directory))
        cores.pin_everything_else()
        life.callback(cores.unpin)
        stage = Stage(directory, scale, pace, cores, life)
        stage.start()
        yield stage
