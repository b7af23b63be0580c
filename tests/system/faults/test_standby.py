"""A COMMIT that waits for a synchronous standby or a disk: unknown is called unknown, and nothing is stored twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from sqlalchemy import text

from app.cli.database import migrate
from app.db import Database, open_engine
from app.db import database as edge
from app.domain.errors import ChatError, OutcomeUnknown, Unavailable
from app.domain.messages.send import Draft, Sent
from app.domain.rates import Rate
from app.local.database_roles import OWNER
from app.local.postgres import EmbeddedPostgres
from app.local.valkey import EmbeddedValkey
from app.redis.client import RedisClient
from app.store import message_writer as writers
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateLimiter
from tests.support.client import Node
from tests.support.drafts import draft
from tests.support.processes import Processes
from tests.support.scene import Scene, group, set_up
from tests.support.servers import public_directory
from tests.support.standby import OPTIONS, Pair, commits_that_wait, frozen_backends, require_standby, stored_texts
from tests.support.unanswered_sends import Senders

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]

PLENTY = {"messages": Rate(100_000, 60), "user": Rate(1_000_000, 86_400)}
WAITED = 1.5
ANSWERED = 5.0
"""Where a deadline of WAITED seconds holds; one after the other eight conversations would take twelve."""


@pytest.fixture(scope="session")
def primary() -> Iterator[EmbeddedPostgres]:
    """A migrated server of these tests' own: what a COMMIT waits for is the whole server's affair."""
    with public_directory() as directory:
        server = EmbeddedPostgres(directory / "primary", options=OPTIONS)
        try:
            server.start()
            migrate(server.url(role=OWNER), server.url())
            yield server
        finally:
            server.stop()


@pytest.fixture
async def database(primary: EmbeddedPostgres) -> AsyncIterator[Database]:
    opened = Database(open_engine(primary.url().replace("postgresql:", "postgresql+psycopg:"), pool_size=6), keep=2)
    yield opened
    require_standby(primary, "")
    await opened.close()


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await set_up(database)


@pytest.fixture
async def writer(
    database: Database, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MessageWriter]:
    monkeypatch.setattr(writers, "WRITE_SECONDS", WAITED)
    redis_client = RedisClient(valkey.url)
    writer = MessageWriter(database, RateLimiter(redis_client, PLENTY))
    yield writer
    await writer.drain()
    await redis_client.close()


async def send_all(writer: MessageWriter, drafts: Sequence[Draft]) -> tuple[list[Sent | BaseException], float]:
    """What each was answered, and after how many seconds the last of them."""
    began = time.monotonic()
    answers = await asyncio.gather(*(writer.send(one) for one in drafts), return_exceptions=True)
    return answers, time.monotonic() - began


def codes(answers: Sequence[Sent | BaseException]) -> list[str]:
    return [
        "sent" if isinstance(one, Sent) else one.code if isinstance(one, ChatError) else repr(one) for one in answers
    ]


async def test_a_send_whose_commit_waits_is_unknown_in_time_and_stored_once(
    primary: EmbeddedPostgres, database: Database, scene: Scene, writer: MessageWriter
) -> None:
    rooms = [await group(database, scene.ada) for _ in range(8)]
    texts = [f"once in {room}" for room in rooms]
    require_standby(primary, "nowhere")
    await asyncio.sleep(0.2)
    answers, seconds = await send_all(
        writer, [draft(room, scene.ada, "text", said) for room, said in zip(rooms, texts, strict=True)]
    )
    require_standby(primary, "")
    await asyncio.sleep(WAITED)
    assert codes(answers) == ["outcome_unknown"] * 8
    assert seconds < ANSWERED
    found = [one for one in stored_texts(primary.url()) if one in texts]
    assert sorted(found) == sorted(texts)


async def test_a_send_that_was_never_written_is_refused_and_not_stored(
    primary: EmbeddedPostgres, database: Database, scene: Scene, writer: MessageWriter
) -> None:
    """The flight's first conversation is locked, so that it is split; its parts come one after the other."""
    rooms = sorted([await group(database, scene.ada) for _ in range(6)])
    drafts = [draft(room, scene.ada, "text", f"split in {room}") for room in rooms]
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM conversations WHERE id = :id FOR NO KEY UPDATE"), {"id": rooms[0]})
        answers, seconds = await send_all(writer, drafts)
    received = dict(zip((one.body.text for one in drafts), codes(answers), strict=True))
    assert seconds < ANSWERED
    assert set(received.values()) <= {"busy", "outcome_unknown", "sent"}
    stored = set(stored_texts(primary.url()))
    assert [said for said, code in received.items() if code == "busy" and said in stored] == []
    assert [said for said, code in received.items() if code == "sent" and said not in stored] == []


async def test_sends_without_a_client_id_are_answered_truthfully_while_the_standby_is_away(
    started: Processes, primary: EmbeddedPostgres, database: Database
) -> None:
    """It stays away for longer than a send may be written: some are unknown, none is stored twice or called refused."""
    (api,) = started.apis({"DATABASE_URL": primary.url()})
    node = Node(api.url)
    people = [await node.register(f"Sender{at}") for at in range(20)]
    conversations = [await person.converse() for person in people]
    senders = Senders(people, conversations, each=5, pause=0.2)
    with public_directory() as directory:
        pair = Pair(primary, directory / "standby")
        try:
            await asyncio.to_thread(pair.start)
            pair.require()
            running = asyncio.create_task(senders.run())
            await asyncio.sleep(0.5)
            await asyncio.to_thread(pair.leave)
            await asyncio.sleep(writers.WRITE_SECONDS + 2)
            await asyncio.to_thread(pair.come_back)
            await running
        finally:
            require_standby(primary, "")
            pair.stop()
    assert senders.untrue(primary.url()) == []
    assert senders.codes["sent"] and senders.codes["outcome_unknown"]
    assert len(senders.said) == 100
    await node.close()
    api.end()


async def test_a_frozen_postgres_delays_no_answer(
    primary: EmbeddedPostgres, database: Database, scene: Scene, writer: MessageWriter
) -> None:
    await writer.send(draft(scene.conversation, scene.ada, "text", "warm-up"))
    with frozen_backends(primary):
        answers, seconds = await send_all(writer, [draft(scene.conversation, scene.ada, "text", "on a dead disk")])
    assert codes(answers) == ["outcome_unknown"]
    assert seconds < ANSWERED
    await asyncio.sleep(0.5)
    assert stored_texts(primary.url()).count("on a dead disk") <= 1


async def test_a_draft_without_a_client_id_written_twice_is_stored_once(
    primary: EmbeddedPostgres, scene: Scene, writer: MessageWriter
) -> None:
    once = draft(scene.conversation, scene.ada, "text", "a key of the server's own")
    beside = draft(scene.conversation, scene.ada, "text", "beside it")
    assert once.key is None
    await writer.send(once)
    answers, _ = await send_all(writer, [once, beside])
    assert codes(answers) == ["outcome_unknown", "sent"]
    stored = stored_texts(primary.url())
    assert (stored.count(str(once.body.text)), stored.count(str(beside.body.text))) == (1, 1)


async def test_a_transaction_that_times_out_is_unknown_in_commit_and_busy_before_it(
    primary: EmbeddedPostgres, database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "TRANSACTION_SECONDS", 1.0)
    rename = text("UPDATE conversations SET name = :name WHERE id = :id")

    async def renamed(name: str, *after: str) -> None:
        async with database.transaction() as session:
            await session.execute(rename, {"id": scene.conversation, "name": name})
            for statement in after:
                await session.execute(text(statement))

    with pytest.raises(Unavailable) as busy:
        await renamed("Before", "SELECT pg_sleep(3)")
    assert busy.value.code == "busy"
    require_standby(primary, "nowhere")
    await asyncio.sleep(0.2)
    with pytest.raises(OutcomeUnknown):
        await renamed("After")
    require_standby(primary, "")
    async with database.read_only() as connection:
        found = await connection.execute(
            text("SELECT name FROM conversations WHERE id = :id"), {"id": scene.conversation}
        )
        assert found.scalar_one() == "After"
    assert commits_that_wait(primary) == 0


async def test_a_deadline_of_the_caller_stays_a_timeout(database: Database) -> None:
    async def impatient() -> None:
        async with database.transaction(), asyncio.timeout(0.05):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await impatient()


async def test_a_block_that_fails_after_its_statement_has_an_unknown_outcome(database: Database) -> None:
    async def failing(*statements: str) -> None:
        async with database.autocommit() as single:
            for statement in statements:
                await single.execute(text(statement), {})
            raise LookupError

    with pytest.raises(OutcomeUnknown):
        await failing("SELECT 1 AS one")
    with pytest.raises(LookupError):
        await failing()
