"""The textbook app, a reference: a straightforward chat in Litestar and SQLAlchemy, without optimizations.

A request is one ORM session and one transaction; a send is one INSERT and one publish; pages use OFFSET and a COUNT for
the total; unread is a COUNT. It has the indexes it needs and checks access, but has no throttles, ordering, idempotence
or cache. Its own tables (schema `textbook`) hold the same users and messages as the product's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import msgspec
import psycopg
from litestar import Litestar, Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody
from redis.asyncio import Redis
from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, MetaData, create_engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship, selectinload

from bench.bare import serve

ALGORITHM = "HS256"
PAGE = 50


class Base(DeclarativeBase):
    metadata = MetaData(schema="textbook")


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_name: Mapped[str]
    last_name: Mapped[str]


class Conversation(Base):
    __tablename__ = "conversations"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Participant(Base):
    __tablename__ = "participants"
    __table_args__ = (Index("ix_participants_user_id", "user_id"),)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey(Conversation.id), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), primary_key=True)
    last_read_id: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_conversation_id_id", "conversation_id", "id"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey(Conversation.id))
    sender_id: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    text: Mapped[str]
    sent_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sender: Mapped[User] = relationship(lazy="raise")


class NewMessage(msgspec.Struct):
    text: str


def fill(url: str) -> None:
    """Creates its tables and fills them from the product's rows. `url` is a libpq URL."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA textbook"))
        Base.metadata.create_all(connection)
    engine.dispose()
    with psycopg.connect(url, autocommit=True, connect_timeout=3) as plain:
        for statement in COPIES:
            plain.execute(statement)
        plain.execute("VACUUM (ANALYZE)")


_MESSAGES = """
INSERT INTO textbook.messages (conversation_id, sender_id, text, sent_at)
SELECT conversation_id, sender_id, text, sent_at FROM public.messages ORDER BY seq, conversation_id
"""
# Members have the same unread messages as in the product.
_PARTICIPANTS = """
INSERT INTO textbook.participants
SELECT m.conversation_id, m.user_id, coalesce((
    SELECT t.id FROM textbook.messages t WHERE t.conversation_id = m.conversation_id
    ORDER BY t.id DESC OFFSET c.last_seq - m.read_seq LIMIT 1), 0)
FROM public.memberships m JOIN public.conversations c ON c.id = m.conversation_id
"""
COPIES = (
    "INSERT INTO textbook.users SELECT id, first_name, last_name FROM public.users",
    "INSERT INTO textbook.conversations SELECT id, name FROM public.conversations",
    _MESSAGES,
    _PARTICIPANTS,
)


def token(user: UUID, secret: str) -> str:
    return jwt.encode({"sub": str(user)}, secret, algorithm=ALGORITHM)


class Application:
    """Holds the app's engine, Redis client and secret."""

    def __init__(self, database_url: str, redis_url: str, secret: str) -> None:
        url = database_url.replace("postgresql:", "postgresql+psycopg:", 1)
        self.engine = create_async_engine(url, pool_size=20)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.redis = Redis.from_url(redis_url)
        self.secret = secret

    async def session(self) -> AsyncIterator[AsyncSession]:
        async with self.sessions() as opened:
            yield opened

    @asynccontextmanager
    async def closing(self, _: Litestar) -> AsyncIterator[None]:
        yield
        await self.redis.aclose()
        await self.engine.dispose()


async def current_user(
    request: Request[Any, Any, Any], session: NamedDependency[AsyncSession], its: NamedDependency[Application]
) -> User:
    try:
        claims = jwt.decode(request.headers["authorization"].partition(" ")[2], its.secret, algorithms=[ALGORITHM])
    except (KeyError, jwt.PyJWTError) as error:
        raise NotAuthorizedException from error
    found = await session.get(User, UUID(claims["sub"]))
    if found is None:
        raise NotAuthorizedException
    return found


async def joined(
    conversation_id: FromPath[UUID], user: NamedDependency[User], session: NamedDependency[AsyncSession]
) -> Conversation:
    found = await session.scalar(
        select(Conversation)
        .join(Participant, Participant.conversation_id == Conversation.id)
        .where(Conversation.id == conversation_id, Participant.user_id == user.id)
    )
    if found is None:
        raise NotFoundException
    return found


@post("/conversations/{conversation_id:uuid}/messages/")
async def send(
    conversation: NamedDependency[Conversation],
    data: JSONBody[NewMessage],
    user: NamedDependency[User],
    session: NamedDependency[AsyncSession],
    its: NamedDependency[Application],
) -> dict[str, Any]:
    message = Message(conversation_id=conversation.id, sender=user, text=data.text, sent_at=datetime.now(UTC))
    session.add(message)
    await session.commit()
    shown = _shown(message)
    await its.redis.publish(f"conversation:{conversation.id}", msgspec.json.encode(shown))
    return shown


@get("/conversations/{conversation_id:uuid}/messages/")
async def show_page(
    conversation: NamedDependency[Conversation], session: NamedDependency[AsyncSession], page: FromQuery[int] = 1
) -> dict[str, Any]:
    here = Message.conversation_id == conversation.id
    count = await session.scalar(select(func.count()).where(here))
    newest = select(Message).where(here).options(selectinload(Message.sender)).order_by(Message.id.desc())
    found = await session.scalars(newest.offset((page - 1) * PAGE).limit(PAGE))
    return {"count": count, "results": [_shown(one) for one in found]}


@get("/conversations/")
async def show_conversations(
    user: NamedDependency[User], session: NamedDependency[AsyncSession]
) -> list[dict[str, Any]]:
    of_it = Message.conversation_id == Conversation.id
    unread = select(func.count()).where(of_it, Message.id > Participant.last_read_id).scalar_subquery()
    last_id = select(func.max(Message.id)).where(of_it).scalar_subquery()
    last = aliased(Message)
    rows = await session.execute(
        select(Conversation, unread, last)
        .join(Participant, Participant.conversation_id == Conversation.id)
        .outerjoin(last, last.id == last_id)
        .options(selectinload(last.sender))
        .where(Participant.user_id == user.id)
        .order_by(last.id.desc().nulls_last())
        .limit(PAGE)
    )
    return [
        {"id": one.id, "name": one.name, "unread": count, "last_message": newest and _shown(newest)}
        for one, count, newest in rows
    ]


def create_app(its: Application) -> Litestar:
    return Litestar(
        [send, show_page, show_conversations],
        dependencies={
            "its": Provide(lambda: its, sync_to_thread=False),
            "session": Provide(its.session),
            "user": Provide(current_user),
            "conversation": Provide(joined),
        },
        lifespan=[its.closing],
        openapi_config=None,
        logging_config=None,
    )


def _shown(message: Message) -> dict[str, Any]:
    sender = message.sender
    return {
        "id": message.id,
        "conversation": message.conversation_id,
        "sent_by": {"id": sender.id, "first_name": sender.first_name, "last_name": sender.last_name},
        "text": message.text,
        "sent_at": message.sent_at,
    }


if __name__ == "__main__":
    given = [os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")]
    serve(create_app(Application(*given)), int(sys.argv[1]))
