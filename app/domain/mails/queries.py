"""Lists mails for operators, newest first."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.mails.models import Mail
from app.domain.mails.outbox import NOTHING
from app.domain.mails.schemas import MailRecord


async def newest(
    session: AsyncSession, *, address: str | None, user: UUID | None, state: str | None, limit: int
) -> list[MailRecord]:
    """Returns the newest mails, at most `limit`: of this state, and to this address or to this account, which also
    finds settled mails."""
    columns = (Mail.id, Mail.kind, Mail.address, Mail.user_id, Mail.attempts)
    times = (Mail.created_at, Mail.due_at, Mail.settled_at)
    query = select(*columns, *times, _state().label("state")).where(
        or_(Mail.outcome.is_(None), Mail.outcome != NOTHING)
    )
    if address is not None:
        recipient = func.lower(Mail.address) == address.lower()
        query = query.where(recipient if user is None else or_(recipient, Mail.user_id == user))
    if state is not None:
        query = query.where(_state() == state)
    rows = (await session.execute(query.order_by(Mail.id.desc()).limit(limit))).all()
    return [
        MailRecord(
            id=row.id,
            kind=row.kind,
            state=row.state,
            address=row.address,
            user=row.user_id,
            attempts=row.attempts,
            created_at=row.created_at,
            due_at=row.due_at,
            settled_at=row.settled_at,
        )
        for row in rows
    ]


def _state() -> ColumnElement[str]:
    return case(
        (Mail.outcome.is_not(None), Mail.outcome),
        (Mail.claimed_at.is_not(None), "sending"),
        (Mail.attempts > 0, "postponed"),
        else_="waiting",
    )
