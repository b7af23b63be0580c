"""A chat with a known cast, for commands that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from app.db import Database, open_engine
from app.settings import Settings
from tests.support.factories import UserFactory, now


class Cast(msgspec.Struct, frozen=True):
    """ada and linus, eve (suspended), and root (an operator), in a database of one test alone."""

    settings: Settings
    database: Database
    ada: UUID
    linus: UUID
    eve: UUID
    root: UUID


@pytest.fixture
async def cast(settings: Settings, fresh_database_url: str) -> AsyncIterator[Cast]:
    own = msgspec.structs.replace(settings, database_url=fresh_database_url)
    database = Database(open_engine(own.libpq_url, pool_size=1))
    people = {
        "ada": UserFactory.build(email="ada@example.org", first_name="Ada", last_name="Lovelace"),
        "linus": UserFactory.build(email="linus@example.org", first_name="Linus", last_name="Pauling"),
        "eve": UserFactory.build(email="eve@example.org", first_name="Eve", last_name="Outside", suspended_at=now()),
        "root": UserFactory.build(email="root@example.org", first_name="Root", last_name="Tree", is_operator=True),
    }
    async with database.transaction() as session:
        session.add_all(people.values())
        await session.flush()
    yield Cast(own, database, **{name: person.id for name, person in people.items()})
    await database.close()
