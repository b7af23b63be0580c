"""The guide greets and answers in "Welcome" through the ordinary send path: once per message, nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import msgspec
import pytest

from app.db import Database, open_engine
from app.development.guide_texts import GREETING, answer_to
from app.development.live_guide import MAX_WAITING, LiveGuide
from app.domain.accounts.registration import RegistrationRequest, begin
from app.domain.conversations import groups, members
from app.domain.events import LogChange, Outgoing
from app.domain.messages.content import MessageBody
from app.domain.messages.schemas import Message
from app.domain.messages.send import draft
from app.domain.rates import Rate
from app.domain.users.caller import Caller
from app.domain.welcome import guide_account
from app.domain.welcome.guide_account import find_guide
from app.redis.client import RedisClient
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateLimiter
from tests.support.nodes import UNLIMITED, eventually
from tests.support.servers import rows

HASH = "$argon2id$none"


class Welcome(msgspec.Struct):
    """A chat with an operator in "Welcome", and a guide that types at once. `typed`: where and by whom."""

    database: Database
    database_url: str
    writer: MessageWriter
    guide: LiveGuide
    operator: Caller
    conversation: UUID
    typed: list[tuple[UUID, UUID]]
    events: list[Outgoing]

    async def say(self, text: str, conversation: UUID | None = None) -> Message:
        body = MessageBody(message_type="text", text=text)
        sent = await self.writer.send(draft(conversation or self.conversation, self.operator, body))
        return msgspec.json.decode(sent.message, type=Message)

    def texts(self, conversation: UUID | None = None) -> list[tuple[str, str | None]]:
        query = "SELECT text, client_id FROM messages WHERE conversation_id = '{}' ORDER BY seq"
        return [(row[0], row[1]) for row in rows(self.database_url, query.format(conversation or self.conversation))]

    async def answered(self, messages: int) -> list[tuple[str, str | None]]:
        """All messages, once there are so many."""
        await eventually(lambda: len(self.texts()) >= messages)
        return self.texts()


@pytest.fixture
def limits() -> dict[str, Rate]:
    return dict(UNLIMITED)


@pytest.fixture
async def welcome(fresh_database_url: str, empty_redis_url: str, limits: dict[str, Rate]) -> AsyncIterator[Welcome]:
    events: list[Outgoing] = []
    typed: list[tuple[UUID, UUID]] = []
    hear: list[Callable[[list[Outgoing]], None]] = []

    async def publish(committed: list[Outgoing]) -> None:
        events.extend(committed)
        for listener in hear:
            listener(committed)

    async def show_typing(conversation: UUID, user: UUID) -> None:
        typed.append((conversation, user))

    redis = RedisClient(empty_redis_url)
    url = fresh_database_url.replace("postgresql:", "postgresql+psycopg:", 1)
    database = Database(open_engine(url, pool_size=5), publish)
    writer = MessageWriter(database, RateLimiter(redis, limits))
    guide = LiveGuide(database, writer, show_typing, pace=0)
    hear.append(guide.receive)
    async with database.transaction() as session:
        wanted = RegistrationRequest(
            email="root@example.org", first_name="Root", last_name="Tester", password_hash=HASH
        )
        operator = await begin(session, wanted, welcome=False)
        conversation = await guide_account.open_welcome(session, operator.id, password_hash=HASH)
    login = rows(
        fresh_database_url,
        "INSERT INTO login_sessions (id, user_id, expires_at)"
        f" VALUES (gen_random_uuid(), '{operator.id}', now() + interval '1 hour') RETURNING id",
    )
    guide.start()
    try:
        yield Welcome(
            database,
            fresh_database_url,
            writer,
            guide,
            Caller(operator.id, login[0][0]),
            conversation,
            typed,
            events,
        )
    finally:
        await guide.stop()
        await writer.drain()
        await redis.close()
        await database.close()


async def test_the_guide_greets_with_each_line_once(welcome: Welcome) -> None:
    welcome.guide.greet(welcome.conversation)
    welcome.guide.greet(welcome.conversation)
    expected = [(text, f"guide:welcome:{at}") for at, text in enumerate(GREETING)]
    await welcome.answered(len(GREETING))
    asked = await welcome.say("help")
    assert await welcome.answered(len(GREETING) + 2) == [
        *expected,
        ("help", None),
        (answer_to("help", 1), f"guide:{asked.id}"),
    ]


async def test_the_guide_types_before_it_answers(welcome: Welcome) -> None:
    async with welcome.database.transaction() as session:
        guide = await find_guide(session)
    assert guide is not None
    await welcome.say("plug")
    await welcome.answered(2)
    assert welcome.typed == [(welcome.conversation, guide.caller.user)]


async def test_a_message_that_is_seen_twice_is_answered_once(welcome: Welcome) -> None:
    first = await welcome.say("demo")
    await welcome.answered(2)
    (created,) = [
        event
        for event in welcome.events
        if isinstance(event, LogChange) and event.type == "message.created" and event.seq == first.seq
    ]
    welcome.guide.receive([created])
    second = await welcome.say("docs")
    assert [client_id for _, client_id in await welcome.answered(4)] == [
        None,
        f"guide:{first.id}",
        None,
        f"guide:{second.id}",
    ]


async def test_the_guide_is_silent_in_other_conversations(welcome: Welcome) -> None:
    async with welcome.database.transaction() as session:
        other = await groups.create(session, welcome.operator.user, "Elsewhere")
    await welcome.say("help", other)
    await welcome.say("help")
    await welcome.answered(2)
    assert welcome.texts(other) == [("help", None)]


async def test_a_guide_that_was_removed_is_silent_and_answers_when_it_is_a_member_again(welcome: Welcome) -> None:
    async with welcome.database.transaction() as session:
        guide = await find_guide(session)
    assert guide is not None
    await welcome.say("help")
    await welcome.answered(2)
    async with welcome.database.transaction() as session:
        await members.remove(session, welcome.conversation, welcome.operator.user, guide.caller.user)
    await welcome.say("plug")
    await eventually(lambda: welcome.guide._known is None)  # it was refused
    async with welcome.database.transaction() as session:
        await members.add(session, welcome.conversation, welcome.operator.user, guide.caller.user)
    await welcome.say("docs")
    assert [text for text, _ in await welcome.answered(5)] == [
        "help",
        answer_to("help", 1),
        "plug",
        "docs",
        answer_to("docs", 4),
    ]


async def test_more_messages_than_the_queue_holds_stay_unanswered(welcome: Welcome) -> None:
    asked = await welcome.say("help")
    await welcome.answered(2)
    (created,) = [
        event
        for event in welcome.events
        if isinstance(event, LogChange) and event.type == "message.created" and event.seq == asked.seq
    ]
    await welcome.guide.stop()
    data = msgspec.json.decode(created.data)
    copies = []
    for number in range(3 * MAX_WAITING):
        made = data | {"id": f"0199a7b0-7000-7000-8000-{number:012}", "text": "xyzzy"}
        copies.append(msgspec.structs.replace(created, data=msgspec.json.encode(made)))
    welcome.guide.receive(copies)
    welcome.guide.start()
    await welcome.answered(2 + MAX_WAITING)
    last = await welcome.say("plug")
    await eventually(lambda: (answer_to("plug", 1), f"guide:{last.id}") in welcome.texts())
    assert len(welcome.texts()) == 2 + MAX_WAITING + 2


@pytest.mark.parametrize("limits", [UNLIMITED | {"messages": Rate(2, 60)}])
async def test_the_guide_has_the_send_limits_of_any_user(welcome: Welcome, limits: dict[str, Rate]) -> None:
    welcome.guide.greet(welcome.conversation)
    await eventually(lambda: len(welcome.typed) == limits["messages"].limit + 1)
    await welcome.say("help")
    await eventually(lambda: len(welcome.typed) == limits["messages"].limit + 2)
    await welcome.writer.drain()
    assert [text for text, _ in welcome.texts()] == [*GREETING[:2], "help"]
