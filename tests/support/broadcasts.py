"""A separate chat with a mail server; each test creates its own accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.db import Database, open_engine
from app.domain.broadcasts import queries, schedule
from app.domain.broadcasts.schemas import Broadcast
from app.domain.events import Announced, Outgoing
from app.settings import Settings
from tests.support.places import Place, placed
from tests.support.servers import TestPostgres


class Crowd:
    """Verbs of broadcasts on a real database; `announced` are the numbers that left after COMMIT."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self.announced: list[int] = []
        url = database_url.replace("postgresql:", "postgresql+psycopg:", 1)
        self.database = Database(open_engine(url, pool_size=8), self._hear)

    async def _hear(self, events: list[Outgoing]) -> None:
        self.announced += [event.number for event in events if isinstance(event, Announced)]

    def sql(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(self.url, connect_timeout=3) as connection:
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def people(self, number: int, **columns: object) -> list[UUID]:
        """So many new accounts, alone in the database with those that were there before."""
        names = "".join(f", {name}" for name in columns)
        marks = ", %s" * len(columns)
        rows = self.sql(
            "INSERT INTO users (id, email, first_name, last_name, password_hash, created_at" + names + ") SELECT"
            " gen_random_uuid(), gen_random_uuid() || '@example.org', 'Some', 'Body', '!', now()" + marks +
            " FROM generate_series(1, " + str(number) + ") RETURNING id",
            *columns.values(),
        )  # fmt: skip
        return [one for (one,) in rows]

    async def plan(self, **fields: Any) -> Broadcast:
        async with self.database.transaction() as session:
            wanted: dict[str, Any] = {"by": None, "title": "Maintenance", "text": "Tonight.", "to": "everybody"}
            made = await schedule.plan(session, **(wanted | fields))
            return await queries.show(session, made)

    async def look(self, broadcast: Broadcast) -> Broadcast:
        async with self.database.transaction() as session:
            return await queries.show(session, broadcast.id)

    def posted(self, broadcast: Broadcast) -> list[UUID]:
        """Whom it was posted to, in the order of their ids."""
        rows = self.sql("SELECT user_id FROM broadcast_mails WHERE broadcast_id = %s ORDER BY 1", broadcast.id)
        return [one for (one,) in rows]

    def earlier(self, broadcast: Broadcast, seconds: int) -> None:
        """As if so much time had passed since the last chunk."""
        self.sql(
            "UPDATE broadcasts SET mails_due_at = mails_due_at - make_interval(secs => %s) WHERE id = %s",
            seconds,
            broadcast.id,
        )


@pytest.fixture(scope="package")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    with placed(postgres, settings, "broadcasts", THROTTLE_ADDRESS="1000000/minute") as found:
        yield found


@pytest.fixture
async def crowd(place: Place, postgres: TestPostgres) -> AsyncIterator[Crowd]:
    """An empty crowd."""
    made = Crowd(place.settings.database_url)
    with psycopg.connect(postgres.owner_url(made.url.rpartition("/")[2]), connect_timeout=3) as connection:
        connection.execute("TRUNCATE users, broadcasts CASCADE")
    yield made
    await made.database.close()
