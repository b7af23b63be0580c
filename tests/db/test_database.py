"""What the session of a transaction does with the statements that it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, select, update

from app.db import Database, open_engine
from app.domain.users.models import User
from tests.support.factories import UserFactory


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(open_engine(database_url, pool_size=1))
    yield opened
    await opened.close()


async def test_an_update_changes_rows_and_not_the_objects_of_the_session(database: Database) -> None:
    ada = UserFactory.build(first_name="Ada")
    async with database.transaction() as session:
        session.add(ada)
        await session.flush()
        await session.execute(update(User).where(User.id == ada.id).values(first_name="Grace"))
        assert ada.first_name == "Ada"
        stored = await session.scalar(select(User.first_name).where(User.id == ada.id))
    assert stored == "Grace"


async def test_a_delete_removes_rows_and_not_the_objects_of_the_session(database: Database) -> None:
    ada = UserFactory.build()
    async with database.transaction() as session:
        session.add(ada)
        await session.flush()
        await session.execute(delete(User).where(User.id == ada.id))
        assert ada in session
        stored = await session.scalar(select(User.id).where(User.id == ada.id))
        session.expunge(ada)
    assert stored is None
