"""How much background work waits in Postgres: mails that are not sent yet, and tasks that failed for good."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.jobs.models import FailedTaskRow
from app.domain.mails.models import Mail

MOST_COUNTED: Final = 10_000
"""Mails that one reading counts at most: a broadcast to everyone must not make it slow."""


class Backlog(msgspec.Struct, frozen=True):
    """`mails_waiting` are not settled, of which `mails_postponed` were refused by the mail server for now. `oldest` is
    the age of the oldest of them in seconds, None if there is none."""

    mails_waiting: int
    mails_postponed: int
    oldest: float | None
    failed_tasks: int


async def read_backlog(reader: AsyncConnection) -> Backlog:
    """Reads all figures in one statement."""
    waiting = (
        select(Mail.created_at, Mail.attempts, Mail.claimed_at)
        .where(Mail.outcome.is_(None))
        .order_by(Mail.due_at)
        .limit(MOST_COUNTED)
        .subquery()
    )
    failed = select(func.count()).select_from(FailedTaskRow).where(FailedTaskRow.retried_at.is_(None))
    postponed = func.count().filter(waiting.c.attempts > 0, waiting.c.claimed_at.is_(None))
    age = func.extract("epoch", func.clock_timestamp() - func.min(waiting.c.created_at))
    row = (
        await reader.execute(select(func.count(), postponed, age, failed.scalar_subquery()).select_from(waiting))
    ).one()
    return Backlog(row[0], row[1], None if row[2] is None else float(row[2]), row[3])
