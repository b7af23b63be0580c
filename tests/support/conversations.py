"""A chat without a server: verbs on a real Postgres, and the events that they published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database, open_engine
from app.domain import metadata
from app.domain.conversations import admin_role, groups, members, name_changes
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.errors import ChatError
from app.domain.events import LogChange, Outgoing
from app.domain.inbox.schemas import ConversationSummary
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.messages import edit as editing
from app.domain.messages import send as sending
from app.domain.messages.message_projection import as_message, find
from app.domain.messages.schemas import Message
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, User
from tests.support.drafts import draft
from tests.support.factories import LoginSessionFactory, UserFactory

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["Cast", "Chat", "as_view", "kinds", "metadata", "refusal"]


class Cast(msgspec.Struct, frozen=True):
    """ada created the group, grace is an admin, linus a member, mallory was removed from it, eve stands outside."""

    ada: UUID
    grace: UUID
    linus: UUID
    mallory: UUID
    eve: UUID


class Chat:
    """One verb, one transaction; `received` is what left after the commits, in their order."""

    def __init__(self, database_url: str) -> None:
        url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        self.received: list[Outgoing] = []
        self.database = Database(open_engine(url, pool_size=16), self._tell)
        event.listen(self.database.engine.sync_engine, "connect", self._be_patient)
        self._logins: dict[UUID, UUID] = {}

    @staticmethod
    def _be_patient(connection: Any, _: object) -> None:
        """A slow machine is not what these tests are about: a deadlock still ends after a second, a queue goes on."""
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '9s'")
        connection.commit()

    async def _tell(self, events: list[Outgoing]) -> None:
        self.received.extend(events)

    def changes(self, conversation: UUID) -> list[LogChange]:
        """The frames received about a conversation's log."""
        return [one for one in self.received if isinstance(one, LogChange) and one.conversation == conversation]

    async def do(
        self, verb: Callable[Concatenate[AsyncSession, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self.database.transaction() as session:
            return await verb(session, *args, **kwargs)

    async def person(self, first_name: str) -> UUID:
        user: User = UserFactory.build(first_name=first_name, last_name="Example")
        login: LoginSession = LoginSessionFactory.build(user_id=user.id)
        async with self.database.transaction() as session:
            session.add(user)
            await session.flush()
            session.add(login)
            await session.flush()
        self._logins[user.id] = login.id
        return user.id

    def caller(self, user: UUID) -> Caller:
        return Caller(user, self._logins[user])

    async def group(self, cast: Cast, *, is_private: bool = True, name: str = "Mathematicians") -> UUID:
        """A group in which each member of the cast has a role."""
        conversation = await self.do(groups.create, cast.ada, name, is_private=is_private)
        for member in (cast.grace, cast.linus, cast.mallory):
            await self.do(members.add, conversation, cast.ada, member)
        await self.do(admin_role.make_admin, conversation, cast.ada, cast.grace)
        await self.do(members.remove, conversation, cast.ada, cast.mallory)
        return conversation

    async def send(self, conversation: UUID, user: UUID, words: str = "hello") -> Message:
        (outcome,) = await self.do(sending.send_batch, [draft(conversation, self.caller(user), "text", words)])
        assert isinstance(outcome, sending.Sent), outcome
        return msgspec.json.decode(outcome.message, type=Message)

    async def edit(self, message: Message, user: UUID, words: str) -> Message:
        return await self.do(editing.edit, message.conversation, message.id, self.caller(user), text=words)

    async def erase(self, message: Message, user: UUID) -> None:
        await self.do(editing.delete, message.conversation, message.id, self.caller(user))

    async def view(self, conversation: UUID, message: UUID) -> Message:
        return as_message(await self.do(find, conversation, message))

    async def rename(self, user: UUID, first_name: str, conversation: UUID) -> None:
        await self.sql("UPDATE users SET first_name = :name WHERE id = :user", name=first_name, user=user)
        await self.do(name_changes.propagate_name, conversation, user)

    def asker(self, user: UUID, most: int | None = None) -> SnapshotRequest:
        return SnapshotRequest(user, self._logins[user], most)

    async def snapshot(self, user: UUID, cut: int | None = None) -> list[ConversationSummary]:
        """Returns every conversation of `user`, as a new socket receives them."""
        (lines,) = await self.do(newest, [self.asker(user)], cut=cut)
        assert lines is not None
        return lines

    async def sql(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        async with self.database.transaction() as session:
            result = await session.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []  # type: ignore[attr-defined]


@pytest.fixture
async def chat(database_url: str) -> AsyncIterator[Chat]:
    chat = Chat(database_url)
    yield chat
    await chat.database.close()


@pytest.fixture
async def cast(chat: Chat) -> Cast:
    return Cast(*[await chat.person(name) for name in ("Ada", "Grace", "Linus", "Mallory", "Eve")])


def kinds(changes: list[LogChange]) -> list[str]:
    return [change.type for change in changes]


def as_view(change: LogChange) -> Member | ConversationFacts:
    if change.type.startswith("member"):
        return msgspec.json.decode(change.data, type=Member)
    return msgspec.json.decode(change.data, type=ConversationFacts)


async def refusal(attempt: Awaitable[object]) -> ChatError:
    with pytest.raises(ChatError) as caught:
        await attempt
    return caught.value
