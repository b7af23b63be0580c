"""Defects of the send path: what is acknowledged, what is stored, and how it is numbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.domain.error_catalogue import busy
from app.domain.errors import OutcomeUnknown
from app.domain.messages.send import Draft, Outcome, Replay, Sent, send_batch
from app.domain.orm import uuid7
from app.store import message_writer
from app.store.message_writer import MessageWriter
from tests.system.chaos.checks import reading, sending
from tests.system.chaos.mutations.declared import fire, mutation, one_in, replace


class Undone(Exception):
    """The transaction was rolled back on purpose."""


def in_a_session() -> None:
    """Batches have a whole transaction, in which more may be done than to send."""
    replace(Database, "autocommit", lambda _: Database.transaction)


class Numbered(msgspec.Struct):
    id: UUID
    conversation: UUID


def stored(outcomes: Sequence[Outcome | Exception]) -> list[Sent]:
    return [one for one in outcomes if isinstance(one, Sent) and not one.replayed]


@mutation("I1", sending.nothing_acknowledged_is_lost)
def acknowledged_before_commit() -> None:
    """One batch in forty is rolled back after it was acknowledged."""
    chosen = one_in(40)

    def hasty(write: Any) -> Any:
        async def promise(self: Any, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
            if not chosen():
                answers: list[Outcome | Exception] = await write(self, drafts, lookups)
                return answers
            outcomes: list[Outcome] = []
            try:
                async with self._database.transaction() as session:
                    outcomes = await send_batch(session, drafts, lookups)
                    raise Undone
            except Undone:
                fire(len(stored(outcomes)))
                return [busy() if isinstance(one, Replay) else one for one in outcomes]

        return promise

    replace(MessageWriter, "_write", hasty)


@mutation("I1", sending.nothing_acknowledged_is_lost)
def acknowledged_deleted() -> None:
    """One batch in forty is deleted from the log just after it was acknowledged."""
    chosen = one_in(40)

    def forgetful(write: Any) -> Any:
        async def lose(self: Any, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
            answers: list[Outcome | Exception] = await write(self, drafts, lookups)
            if chosen():
                for one in stored(answers):
                    message = msgspec.json.decode(one.message, type=Numbered)
                    async with self._database.transaction() as session:
                        await session.execute(
                            text("DELETE FROM messages WHERE conversation_id = :conversation AND id = :id"),
                            {"conversation": message.conversation, "id": message.id},
                        )
                    fire()
            return answers

        return lose

    replace(MessageWriter, "_write", forgetful)


@mutation("I2", sending.a_retry_is_no_duplicate)
def replay_ignored() -> None:
    """A message sent again with the same `client_id` is stored again."""

    def gullible(send: Any) -> Any:
        async def batch(session: AsyncSession, drafts: list[Draft], lookups: list[bool]) -> list[Outcome]:
            outcomes: list[Outcome] = await send(session, drafts, lookups)
            again = [at for at, one in enumerate(outcomes) if isinstance(one, Replay)]
            if again:
                new = [
                    msgspec.structs.replace(drafts[at], body=msgspec.structs.replace(drafts[at].body, client_id=None))
                    for at in again
                ]
                for at, outcome in zip(again, await send(session, new, [False] * len(new)), strict=True):
                    outcomes[at] = outcome
                fire(len(again))
            return outcomes

        return batch

    replace(message_writer, "send_batch", gullible)


@mutation("I1", sending.said_once_is_stored_once, faults=("COMMIT waits for a standby",))
def deadline_taken_for_a_failure() -> None:
    """A deadline that passes in COMMIT is taken for a failed batch, which is written again and answered `busy`."""

    def impatient(write: Any) -> Any:
        async def twice(self: Any, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
            answers: list[Outcome | Exception] = await write(self, drafts, lookups)
            late = [at for at, one in enumerate(answers) if isinstance(one, OutcomeUnknown)]
            if late:
                fire(len(late))
                again = [msgspec.structs.replace(drafts[at], id=uuid7()) for at in late]
                for at, answer in zip(late, await write(self, again, [lookups[at] for at in late]), strict=True):
                    answers[at] = busy() if isinstance(answer, OutcomeUnknown) else answer
            return answers

        return twice

    # Short beside the fault, so that several batches are late while it lasts.
    replace(message_writer, "WRITE_SECONDS", lambda _: 1.0)
    replace(MessageWriter, "_write", impatient)


@mutation("I3", sending.there_is_one_order)
def hole_in_seq() -> None:
    """One batch in forty skips one number."""
    chosen = one_in(40)

    def skipping(send: Any) -> Any:
        async def batch(session: AsyncSession, drafts: list[Draft], lookups: list[bool]) -> list[Outcome]:
            if chosen():
                fire()
                await session.execute(
                    text("UPDATE conversations SET last_seq = last_seq + 1 WHERE id = :one"),
                    {"one": drafts[0].conversation},
                )
            outcomes: list[Outcome] = await send(session, drafts, lookups)
            return outcomes

        return batch

    in_a_session()
    replace(message_writer, "send_batch", skipping)


@mutation("5xx", sending.nothing_fails_inside)
def send_that_fails() -> None:
    """One batch in forty fails with an unexpected error."""
    chosen = one_in(40)

    def failing(send: Any) -> Any:
        async def batch(session: AsyncSession, drafts: list[Draft], lookups: list[bool]) -> list[Outcome]:
            if len(drafts) == 1 and chosen():
                fire()
                raise RuntimeError("on purpose")
            outcomes: list[Outcome] = await send(session, drafts, lookups)
            return outcomes

        return batch

    replace(message_writer, "send_batch", failing)


@mutation("I7", reading.removal_cuts_off, faults=("removal racing sends",), seconds=12.0)
def removed_may_send() -> None:
    """The send path ignores that a membership has ended."""

    def blind(send: Any) -> Any:
        async def batch(session: AsyncSession, drafts: list[Draft], lookups: list[bool]) -> list[Outcome]:
            who = {
                "conversations": [one.conversation for one in drafts],
                "users": [one.sender for one in drafts],
            }
            await session.execute(
                text("SELECT FROM conversations WHERE id = ANY(:conversations) ORDER BY id FOR NO KEY UPDATE"),
                {"conversations": who["conversations"]},
            )
            ended = await session.execute(ENDED, who)
            over = [row._asdict() for row in ended]
            for one in over:
                await session.execute(LEFT, {**one, "left_at": None, "ended": None})
            outcomes: list[Outcome] = await send(session, drafts, lookups)
            for one in over:
                await session.execute(LEFT, one)
            fire(len(over))
            return outcomes

        return batch

    in_a_session()
    replace(message_writer, "send_batch", blind)


ENDED = text(
    "SELECT DISTINCT conversation_id, user_id, m.left_at, m.ended FROM memberships m"
    " JOIN unnest(CAST(:conversations AS uuid[]), CAST(:users AS uuid[])) AS d (conversation_id, user_id)"
    " USING (conversation_id, user_id) WHERE m.left_at IS NOT NULL"
)
LEFT = text(
    "UPDATE memberships SET left_at = :left_at, ended = :ended"
    " WHERE conversation_id = :conversation_id AND user_id = :user_id"
)
