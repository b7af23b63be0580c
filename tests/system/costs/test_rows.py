"""At a million messages a request still reads about what it answers: rows read by the scans, per row answered.

The statements are caught as the product says them, and explained with what they were given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from sqlalchemy import event, text

from app.db import Database, Session, open_engine
from app.domain.conversations.access import Access, MembershipKey, check_access, check_access_many
from app.domain.conversations.read_cursors import move_cursor
from app.domain.inbox.queries import inbox
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.messages.changes import changes_after
from app.domain.messages.history import SeqRange, read_span
from app.domain.messages.send import Sent, send_batch
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from tests.support.drafts import draft
from tests.support.scene import group, person
from tests.support.servers import TestPostgres, worker_name

MESSAGES = 1_000_000
CONVERSATIONS = 50
EACH = MESSAGES // CONVERSATIONS
PAGE = 50
MANY_MESSAGES = f"""
    INSERT INTO messages (conversation_id, seq, id, sender_id, created_position, position, message_type, text, sent_at,
                          updated_at)
    SELECT conversation.id, seq, lpad(to_hex(seq), 32, '0')::uuid, conversation.created_by, 3 + seq, 3 + seq, 'text',
           'This is message ' || seq, now(), now()
    FROM conversations AS conversation, generate_series(1, {EACH}) AS seq
"""
OTHERS = 30_000
MANY_PEOPLE = """
    INSERT INTO users
    SELECT made.*
    FROM (SELECT users AS sample FROM users LIMIT 1) AS one, unnest(%s::uuid[]) AS stranger,
         jsonb_populate_record(sample, jsonb_build_object('id', stranger, 'email', stranger || '@example.org')) AS made
"""
MANY_CONVERSATIONS = """
    INSERT INTO conversations
    SELECT made.*
    FROM (SELECT conversations AS sample FROM conversations LIMIT 1) AS one, unnest(%s::uuid[]) AS stranger,
         jsonb_populate_record(sample, jsonb_build_object('id', stranger)) AS made
"""
MANY_MEMBERS = """
    INSERT INTO memberships
    SELECT made.*
    FROM (SELECT memberships AS sample FROM memberships LIMIT 1) AS one, unnest(%s::uuid[]) AS stranger,
         jsonb_populate_record(sample, jsonb_build_object('conversation_id', stranger, 'user_id', stranger)) AS made
"""
"""Strangers, each alone in a conversation of their own: small tables are read whole, and rightly so."""

CROWD = 1_000
MANY_BEFORE_ADA = """
    INSERT INTO memberships
    SELECT made.*
    FROM (SELECT memberships AS sample FROM memberships WHERE conversation_id = %(crowd)s LIMIT 1) AS one,
         unnest(%(strangers)s::uuid[]) AS stranger,
         jsonb_populate_record(sample, jsonb_build_object('user_id', stranger)) AS made
"""
ADA_LAST = "UPDATE memberships SET position = 5000 WHERE conversation_id = %(crowd)s AND user_id = %(ada)s"

MEMBERSHIPS_READ = text(
    "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'memberships'"
)
BEFORE_GENERIC = 6
"""Times Postgres plans a prepared statement for what it is given before it considers not to."""

TOLD = f"UPDATE conversations SET last_seq = {EACH}, position = 3 + {EACH}"


class Plan(msgspec.Struct):
    """What one statement did: rows read, by how each was found; and rows answered."""

    scans: list[tuple[str, str, float]]
    answered: float

    @property
    def per_row(self) -> float:
        return sum(rows for _, _, rows in self.scans) / self.answered

    @property
    def whole(self) -> set[str]:
        """Relations that were read from end to end, and were not empty."""
        return {relation for node, relation, rows in self.scans if node == "Seq Scan" and rows}


class Log:
    """A database of a million messages, and a user who is in all of its conversations."""

    def __init__(self, database: Database, ada: Caller, conversation: UUID, crowd: UUID) -> None:
        self.database = database
        self.ada = ada
        self.conversation = conversation
        self.crowd = crowd  # one with a thousand members more
        self._caught: list[tuple[str, Any]] = []

    @contextmanager
    def _catching(self) -> Iterator[None]:
        def catch(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
            self._caught.append((statement, parameters))

        engine = self.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", catch)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", catch)

    async def explain(self, verb: Any, *arguments: Any, **named: Any) -> Plan:
        """What the only statement of `verb` did."""
        async with self.database.transaction() as session:
            return await self.explain_in(session, verb, *arguments, **named)

    async def explain_in(self, session: Session, verb: Any, *arguments: Any, **named: Any) -> Plan:
        """The same in a transaction that has begun."""
        self._caught.clear()
        with self._catching():
            await verb(session, *arguments, **named)
        ((statement, parameters),) = self._caught
        connection = await session.connection()
        rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        plan = rows.scalar_one()[0]["Plan"]
        return Plan(scans=list(_scans(plan)), answered=plan["Actual Rows"] * plan["Actual Loops"])

    async def memberships_read(self, verb: Callable[[Session], Awaitable[None]]) -> int:
        """Returns the rows of them that `verb` reads, once Postgres uses a generic plan."""
        async with self.database.transaction() as session:
            for _ in range(BEFORE_GENERIC):
                await verb(session)
            before = (await session.execute(MEMBERSHIPS_READ)).scalar_one()
            await verb(session)
            after = (await session.execute(MEMBERSHIPS_READ)).scalar_one()
        return int(after) - int(before)


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """How a relation was read, which, and how many rows of it, those that were thrown away too."""
    if "Relation Name" in node:
        removed = [rows for name, rows in node.items() if name.startswith("Rows Removed by")]
        rows = (node["Actual Rows"] + sum(removed)) * node["Actual Loops"]
        yield node["Node Type"], node["Relation Name"], rows
    for child in node.get("Plans", ()):
        yield from _scans(child)


def fill(url: str, strangers: list[UUID], crowd: UUID, ada: UUID) -> None:
    """A connection of its own: those of the product end a statement long before it has written a million rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for statement in (MANY_MESSAGES, TOLD):
            connection.execute(statement)
        for statement in (MANY_PEOPLE, MANY_CONVERSATIONS, MANY_MEMBERS):
            connection.execute(statement, [strangers])
        for statement in (MANY_BEFORE_ADA, ADA_LAST):
            connection.execute(statement, {"strangers": strangers[:CROWD], "crowd": crowd, "ada": ada})


def analyze(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


@pytest.fixture(scope="module")
async def log(postgres: TestPostgres) -> AsyncIterator[Log]:
    name = f"chat_{worker_name()}_costs"
    url = postgres.create(name)
    database = Database(open_engine(url.replace("postgresql:", "postgresql+psycopg:", 1)))
    # Some came before Ada and some after her, as ids are by time.
    strangers = [uuid7() for _ in range(OTHERS // 2)]
    ada, grace = await person(database, "Ada"), await person(database, "Grace")
    conversations = [await group(database, ada, grace) for _ in range(CONVERSATIONS)]
    strangers += [uuid7() for _ in range(OTHERS // 2)]
    try:
        await asyncio.to_thread(fill, url, strangers, conversations[0], ada.user)
        await asyncio.to_thread(analyze, postgres.owner_url(name))
        yield Log(database, ada, conversations[CONVERSATIONS // 2], conversations[0])
    finally:
        await database.close()
        postgres.drop(name)


@pytest.mark.parametrize("last", [EACH, EACH // 2], ids=["newest", "deep"])
async def test_a_page_of_messages_reads_each_and_its_sender(log: Log, last: int) -> None:
    plan = await log.explain(read_span, log.conversation, SeqRange(last - PAGE + 1, last, has_more=True))
    assert plan.answered == PAGE
    assert plan.per_row <= 2, plan
    assert not plan.whole, plan


@pytest.mark.parametrize("after", [3 + EACH - PAGE, 3 + EACH // 2], ids=["last", "behind"])
async def test_changes_read_each_key_its_message_and_its_sender(log: Log, after: int) -> None:
    """And the conversation twice."""
    plan = await log.explain(changes_after, log.conversation, after, PAGE)
    assert PAGE <= plan.answered <= PAGE + 1
    assert plan.per_row <= 3 + 2 / PAGE, plan
    assert not plan.whole, plan


async def test_the_list_reads_each_conversation_and_membership_twice(log: Log) -> None:
    """To find them, and for their lines; and the last message with its sender."""
    plan = await log.explain(inbox, log.ada.user, limit=CONVERSATIONS)
    assert plan.answered == CONVERSATIONS
    assert plan.per_row <= 6, plan
    assert not plan.whole, plan


async def test_lists_read_together_read_each_membership_once(log: Log) -> None:
    """The login and the account, too. Those are few rows here: how they are found is not what this is about."""
    plan = await log.explain(newest, [SnapshotRequest(log.ada.user, log.ada.session, CONVERSATIONS)])
    assert plan.answered == CONVERSATIONS
    assert plan.per_row <= 5 + 5 / CONVERSATIONS, plan
    assert plan.whole <= {"login_sessions"}, plan


@pytest.mark.parametrize("size", [1, 32])
async def test_a_send_finds_its_sender_without_reading_the_members(log: Log, size: int) -> None:
    """Read once to check the sender's access, once to move the read mark; the function's own plans are not visible."""

    async def sending(session: Session) -> None:
        drafts = [draft(log.crowd, log.ada, "text", f"message {n}") for n in range(size)]
        assert all(isinstance(outcome, Sent) for outcome in await send_batch(session, drafts))

    assert await log.memberships_read(sending) == size + 1


async def test_an_access_check_finds_its_reader_without_reading_the_members(log: Log) -> None:
    async def opening(session: Session) -> None:
        assert (await check_access(session, log.crowd, log.ada.user)).is_member

    async def opening_several(session: Session) -> None:
        ada = log.ada
        pairs = [MembershipKey(where, ada.user, ada.session) for where in (log.crowd, log.conversation)]
        assert all(isinstance(door, Access) for door in await check_access_many(session, pairs))

    async def reading(session: Session) -> None:
        door = await check_access(session, log.crowd, log.ada.user)
        await move_cursor(session, door, door.read_seq + 1)

    assert await log.memberships_read(opening) == 1
    assert await log.memberships_read(reading) == 2
    assert await log.memberships_read(opening_several) == 2
