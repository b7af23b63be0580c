"""A database with the cast in it, and what was handed over after each commit."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.db import Database, open_engine
from app.domain.events import Outgoing
from tests.support.scene import Scene, set_up


@pytest.fixture
def told() -> list[Outgoing]:
    """What left after COMMIT, in order."""
    return []


@pytest.fixture
async def database(database_url: str, told: list[Outgoing]) -> AsyncIterator[Database]:
    async def hand_over(events: list[Outgoing]) -> None:
        told.extend(events)

    opened = Database(open_engine(database_url.replace("postgresql:", "postgresql+psycopg:"), pool_size=5), hand_over)
    yield opened
    await opened.close()


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await set_up(database)
