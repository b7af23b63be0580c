"""Defects of what leaves the chat: a mail is to leave once, whatever tasks do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.mails import outbox
from app.domain.notifications import digests
from app.domain.orm import AnyRow
from tests.system.chaos.checks import effects
from tests.system.chaos.mutations.declared import fire, mutation, replace


@mutation("I9", effects.a_mail_is_sent_once, faults=("the same task delivered again",), process="worker")
def claim_ignored() -> None:
    """A task sends a mail that another task has claimed."""

    def greedy(claim: Any) -> Any:
        async def take(session: AsyncSession, mail: UUID) -> Any:
            freed = await session.execute(
                text(
                    "UPDATE mails SET claimed_at = NULL"
                    " WHERE id = :mail AND outcome IS NULL AND claimed_at IS NOT NULL RETURNING id"
                ),
                {"mail": mail},
            )
            fire(len(freed.all()))
            return await claim(session, mail)

        return take

    replace(outbox, "claim", greedy)


@mutation("I9", effects.a_mail_is_sent_once, faults=("kill -9 of a task's process",), process="worker")
def claim_given_back() -> None:
    """A mail whose task was killed is sent again, although the mail server may have accepted it."""

    def hopeful(claim: Any) -> Any:
        async def take(session: AsyncSession, mail: UUID) -> Any:
            # Older than a hand-over takes here: the worker that claimed it is dead.
            freed = await session.execute(
                text(
                    "UPDATE mails SET claimed_at = NULL WHERE id = :mail AND outcome IS NULL"
                    " AND claimed_at < clock_timestamp() - interval '100 milliseconds' RETURNING id"
                ),
                {"mail": mail},
            )
            fire(len(freed.all()))
            return await claim(session, mail)

        return take

    replace(outbox, "claim", hopeful)


@mutation("I9", effects.a_mail_is_sent_once, seconds=16.0, rate=24.0, process="worker")
def digest_begins_anew() -> None:
    """The content of a digest is repeated in the next one."""

    def forgetting(carry_out: Any) -> Any:
        async def decide(session: AsyncSession, row: AnyRow, outcome: str) -> int:
            posted: int = await carry_out(session, row, outcome)
            if posted:
                fire()
                await session.execute(
                    text("UPDATE subscriptions SET mailed_seq = 0 WHERE conversation_id = :one AND user_id = :user"),
                    {"one": row.conversation_id, "user": row.user_id},
                )
            return posted

        return decide

    replace(digests, "_carry_out", forgetting)
