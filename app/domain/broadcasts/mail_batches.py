"""Queues the mails of a broadcast in chunks, in the order of account ids, no faster than its rate.

A chunk is one transaction: the mails, a row for each, and the cursor. After a crash nothing of a chunk is queued, and
the next run resumes at the cursor. No account is mailed the same broadcast twice, because the row is unique. The
outcome of each mail is read from the outbox afterwards.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.broadcasts.audience import is_addressed
from app.domain.broadcasts.models import BroadcastMail, BroadcastRow
from app.domain.mails import outbox
from app.domain.mails.models import Mail
from app.domain.mails.outbox import FAILED, REFUSED, SENT, UNKNOWN, WRITTEN
from app.domain.orm import AnyRow
from app.domain.users.account_status import account_is_open
from app.domain.users.models import User

POST_INTERVAL: Final = timedelta(seconds=5)
"""Time between chunks. A chunk holds the mails of this time at the set rate; a late run catches up at most as many."""

MAX_CHUNK: Final = 500
MAX_SETTLED: Final = 5_000
RETENTION: Final = timedelta(days=90)
MAX_DELETED: Final = 10_000

COUNTED: Final = {
    SENT: "mails_sent",
    WRITTEN: "mails_sent",
    REFUSED: "mails_refused",
    FAILED: "mails_refused",
    UNKNOWN: "mails_unknown",
}
"""The counter for each outcome. All others count as `mails_dropped`: the account was gone or the mail canceled."""


async def post_next(session: AsyncSession) -> int | None:
    """Queues the chunk due longest, skipping locked ones. Returns the number of mails, None if no chunk is due."""
    now = func.clock_timestamp()
    broadcast = (
        await session.execute(
            select(
                BroadcastRow.id, BroadcastRow.mailed_through, BroadcastRow.mails_per_second, BroadcastRow.mails_due_at
            )
            .where(BroadcastRow.mails_due_at <= now)
            .order_by(BroadcastRow.mails_due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
    ).one_or_none()
    if broadcast is None:
        return None
    size = min(MAX_CHUNK, int(broadcast.mails_per_second * POST_INTERVAL.total_seconds()))
    people = await _next_people(session, broadcast, size)
    posted = await _post(session, broadcast, people)
    done: dict[str, object] = {"mails_due_at": None}
    further = {
        "mailed_through": people[-1].id if people else None,
        "mails_posted": BroadcastRow.mails_posted + posted,
        # A slightly late run catches up; after a stop of minutes, the missed mails are not sent in one burst.
        "mails_due_at": func.greatest(BroadcastRow.mails_due_at, now - POST_INTERVAL)
        + timedelta(seconds=len(people) / broadcast.mails_per_second),
    }
    await session.execute(
        update(BroadcastRow).where(BroadcastRow.id == broadcast.id).values(further if people else done)
    )
    return posted


async def settle_next(session: AsyncSession) -> int:
    """Copies outcomes of one broadcast, at most 5,000. Returns their number. Mails gone from the outbox are unknown."""
    broadcast = await session.scalar(
        select(BroadcastRow.id)
        .where(
            select(true())
            .select_from(BroadcastMail)
            .outerjoin(Mail, Mail.id == BroadcastMail.mail_id)
            .where(
                BroadcastMail.broadcast_id == BroadcastRow.id,
                BroadcastMail.outcome.is_(None),
                (Mail.id.is_(None)) | (Mail.outcome.is_not(None)),
            )
            .exists()
        )
        .order_by(BroadcastRow.id)
        .limit(1)
        .with_for_update(of=BroadcastRow, skip_locked=True)
    )
    if broadcast is None:
        return 0
    settled = (
        select(BroadcastMail.user_id, func.coalesce(Mail.outcome, UNKNOWN).label("outcome"))
        .outerjoin(Mail, Mail.id == BroadcastMail.mail_id)
        .where(
            BroadcastMail.broadcast_id == broadcast,
            BroadcastMail.outcome.is_(None),
            (Mail.id.is_(None)) | (Mail.outcome.is_not(None)),
        )
        .limit(MAX_SETTLED)
        .subquery()
    )
    outcomes = await session.scalars(
        update(BroadcastMail)
        .where(BroadcastMail.broadcast_id == broadcast, BroadcastMail.user_id == settled.c.user_id)
        .values(outcome=settled.c.outcome)
        .returning(BroadcastMail.outcome)
    )
    counts = Counter(COUNTED.get(outcome or "", "mails_dropped") for outcome in outcomes)
    if counts:
        await session.execute(
            update(BroadcastRow)
            .where(BroadcastRow.id == broadcast)
            .values({column: getattr(BroadcastRow, column) + count for column, count in counts.items()})
        )
    return counts.total()


async def sweep(session: AsyncSession) -> int:
    """Deletes the mail rows of old broadcasts, at most 10,000. Returns their number. The counters remain."""
    old = (
        select(BroadcastMail.broadcast_id, BroadcastMail.user_id)
        .join(BroadcastRow, BroadcastRow.id == BroadcastMail.broadcast_id)
        .where(
            BroadcastRow.mails_due_at.is_(None),
            BroadcastRow.sent_at < func.clock_timestamp() - RETENTION,
            BroadcastMail.outcome.is_not(None),
        )
        .limit(MAX_DELETED)
        .with_for_update(of=BroadcastMail, skip_locked=True)
    )
    deleted = await session.execute(
        delete(BroadcastMail)
        .where(tuple_(BroadcastMail.broadcast_id, BroadcastMail.user_id).in_(old))
        .returning(BroadcastMail.user_id)
    )
    return len(deleted.all())


async def _next_people(session: AsyncSession, broadcast: AnyRow, size: int) -> list[AnyRow]:
    query = (
        select(User.id, User.email, User.first_name)
        .join(BroadcastRow, BroadcastRow.id == broadcast.id)
        .where(account_is_open(), is_addressed())
        .order_by(User.id)
        .limit(size)
    )
    if broadcast.mailed_through is not None:
        query = query.where(User.id > broadcast.mailed_through)
    return list(await session.execute(query))


async def _post(session: AsyncSession, broadcast: AnyRow, people: list[AnyRow]) -> int:
    if not people:
        return 0
    mails = await outbox.post_many(
        session,
        "broadcast",
        [(person.id, person.email, {"broadcast": str(broadcast.id)}) for person in people],
    )
    rows = [
        {"broadcast_id": broadcast.id, "user_id": person.id, "mail_id": mail}
        for person, mail in zip(people, mails, strict=True)
    ]
    # Unique: a second mail to the same account would fail here, and roll back the whole chunk.
    await session.execute(insert(BroadcastMail).values(rows))
    return len(rows)
