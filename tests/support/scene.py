"""The cast in the database: ada (creator), grace (admin), linus (member), eve (outsider), and their conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest

from app.db import Database, open_engine
from app.domain.conversations.models import Conversation, Membership
from app.domain.events import Outgoing
from app.domain.users.caller import Caller
from tests.support.factories import ConversationFactory, LoginSessionFactory, MembershipFactory, UserFactory


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    conversation: UUID
    ada: Caller
    grace: Caller
    linus: Caller
    eve: Caller


async def person(database: Database, first_name: str) -> Caller:
    """A user with a login."""
    user = UserFactory.build(first_name=first_name)
    login = LoginSessionFactory.build(user_id=user.id)
    async with database.transaction() as session:
        session.add(user)
        await session.flush()
        session.add(login)
    return Caller(user=user.id, session=login.id)


async def group(database: Database, creator: Caller, *others: Caller, is_private: bool = True) -> UUID:
    """A group of `creator` (its admin) and `others`, each joined at a position of its own."""
    count = 1 + len(others)
    row: Conversation = ConversationFactory.build(
        created_by=creator.user,
        creator_id=creator.user,
        is_private=is_private,
        member_count=count,
        position=1 + count,
    )
    async with database.transaction() as session:
        session.add(row)
        await session.flush()
        for place, member in enumerate((creator, *others), start=2):
            session.add(
                MembershipFactory.build(
                    conversation_id=row.id,
                    user_id=member.user,
                    role="admin" if member is creator else "member",
                    position=place,
                    created_position=place,
                )
            )
    return row.id


async def set_up(database: Database, *, is_private: bool = True) -> Scene:
    ada, grace, linus, eve = [await person(database, name) for name in ("Ada", "Grace", "Linus", "Eve")]
    conversation = await group(database, ada, grace, linus, is_private=is_private)
    async with database.transaction() as session:
        membership = await session.get_one(Membership, (conversation, grace.user))
        membership.role = "admin"
    return Scene(conversation=conversation, ada=ada, grace=grace, linus=linus, eve=eve)


@pytest.fixture
def received() -> list[Outgoing]:
    """What left after COMMIT, in order."""
    return []


@pytest.fixture
async def database(database_url: str, received: list[Outgoing]) -> AsyncIterator[Database]:
    async def hand_over(events: list[Outgoing]) -> None:
        received.extend(events)

    opened = Database(open_engine(database_url.replace("postgresql:", "postgresql+psycopg:"), pool_size=5), hand_over)
    yield opened
    await opened.close()


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await set_up(database)
