"""The application as a client sees it, and its database beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from app.db import Database, open_engine
from app.domain.accounts.registration import begin, check
from app.domain.auth.passwords import Passwords
from app.domain.auth.tokens import Tokens
from app.domain.events import Outgoing
from app.domain.orm import uuid7
from app.domain.users.schemas import Profile
from app.settings import Settings
from tests.support.broadcasts import crowd, place
from tests.support.conversations import cast, chat
from tests.support.web import PASSWORD, Client, running

__all__ = ["cast", "chat", "crowd", "place"]


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings) as client:
        yield client


@pytest.fixture
def received() -> list[Outgoing]:
    """What left after COMMIT, in order."""
    return []


@pytest.fixture
async def database(settings: Settings, received: list[Outgoing]) -> AsyncIterator[Database]:
    async def hand_over(events: list[Outgoing]) -> None:
        received.extend(events)

    opened = Database(open_engine(settings.libpq_url, pool_size=8), hand_over)
    yield opened
    await opened.close()


@pytest.fixture
def tokens(settings: Settings) -> Tokens:
    """Believes the application's tokens."""
    return Tokens(settings.secret_key)


@pytest.fixture
def quick_passwords() -> Iterator[Passwords]:
    """The same work, less of it."""
    passwords = Passwords(memory=64, passes=1)
    yield passwords
    passwords.close()


@pytest.fixture
async def grace(database: Database, quick_passwords: Passwords) -> Profile:
    async with database.transaction() as session:
        wanted = await check(
            session,
            email=f"grace.{uuid7()}@example.org",
            password=PASSWORD,
            first_name="Grace",
            last_name="Hopper",
            passwords=quick_passwords,
        )
        return await begin(session, wanted)
