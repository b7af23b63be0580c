"""Sends a broadcast: its delivery starts when this transaction commits.

The number is assigned under a lock held until COMMIT, so that numbers become visible in order: a user with a cursor at
one number has missed none before it.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import locks
from app.domain.broadcasts import audience
from app.domain.broadcasts.models import BroadcastRow
from app.domain.events import Announced, record
from app.domain.locks import AdvisoryLock
from app.domain.orm import AnyRow


async def send(session: AsyncSession, broadcast: AnyRow) -> None:
    """Sends it now. The caller has locked or just inserted the row (`id, mail`)."""
    planned = await audience.size(session, broadcast.id) if broadcast.mail else 0
    await locks.acquire(session, AdvisoryLock.BROADCAST_NUMBERS)
    # A separate statement, so that its snapshot is taken under the lock.
    number = int(await session.scalar(select(func.coalesce(func.max(BroadcastRow.number), 0) + 1)) or 1)
    now = func.clock_timestamp()
    await session.execute(
        update(BroadcastRow)
        .where(BroadcastRow.id == broadcast.id)
        .values(number=number, sent_at=now, mails_planned=planned, mails_due_at=now if broadcast.mail else None)
    )
    record(session, Announced(number=number))


async def send_next(session: AsyncSession) -> UUID | None:
    """Sends the broadcast due longest, skipping locked ones. Returns its id, None if none is due."""
    due = (
        await session.execute(
            select(BroadcastRow.id, BroadcastRow.mail)
            .where(
                BroadcastRow.number.is_(None),
                BroadcastRow.canceled_at.is_(None),
                BroadcastRow.send_at <= func.clock_timestamp(),
            )
            .order_by(BroadcastRow.send_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
    ).one_or_none()
    if due is None:
        return None
    await send(session, due)
    found: UUID = due.id
    return found
