"""Why a member was notified or not, kept for a week. Repeating an outcome extends the existing record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.error_catalogue import message_not_found
from app.domain.messages.models import MessageRow
from app.domain.notifications.models import NotificationDecisionRow
from app.domain.notifications.schemas import NotificationDecision, NotificationDecisions
from app.domain.orm import uuid7
from app.domain.users.caller import Caller


async def record_decisions(
    session: AsyncSession,
    conversation: UUID,
    channel: str,
    up_to: int,
    judged: list[tuple[UUID, int, str]],
    mails: dict[UUID, UUID] | None = None,
) -> None:
    """Records (user, from_seq, outcome) for each member. An unchanged outcome extends the existing record."""
    mails = mails or {}
    extended: set[UUID] = set()
    for outcome in {outcome for _, _, outcome in judged} - {"sent", "due"}:
        starts = {user: low for user, low, user_outcome in judged if user_outcome == outcome}
        start = case(starts, value=NotificationDecisionRow.user_id)
        updated = await session.scalars(
            update(NotificationDecisionRow)
            .where(
                NotificationDecisionRow.conversation_id == conversation,
                NotificationDecisionRow.user_id.in_(starts),
                NotificationDecisionRow.channel == channel,
                NotificationDecisionRow.outcome == outcome,
                or_(NotificationDecisionRow.up_to_seq == start, NotificationDecisionRow.from_seq == start),
            )
            .values(up_to_seq=up_to, decided_at=func.clock_timestamp())
            .returning(NotificationDecisionRow.user_id)
        )
        extended |= set(updated)
    new: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "conversation_id": conversation,
            "user_id": user,
            "channel": channel,
            "outcome": outcome,
            "from_seq": start,
            "up_to_seq": up_to,
            "mail_id": mails.get(user),
        }
        for user, start, outcome in judged
        if user not in extended
    ]
    if new:
        await session.execute(insert(NotificationDecisionRow), new)


async def decisions(session: AsyncSession, caller: Caller, conversation: UUID, message: UUID) -> NotificationDecisions:
    """Returns why the caller was notified of this message or not, newest first.

    Raises:
        NotFound, and the errors of `check_access`.
    """
    await check_access(session, conversation, caller.user)
    found = await session.execute(
        select(MessageRow.seq, MessageRow.sender_id).where(
            MessageRow.conversation_id == conversation, MessageRow.id == message
        )
    )
    row = found.one_or_none()
    if row is None:
        raise message_not_found()
    if row.sender_id == caller.user:
        return NotificationDecisions(items=[])  # senders are not notified of their own messages
    seq = row.seq
    rows = await session.execute(
        select(NotificationDecisionRow.channel, NotificationDecisionRow.outcome, NotificationDecisionRow.decided_at)
        .where(
            NotificationDecisionRow.conversation_id == conversation,
            NotificationDecisionRow.user_id == caller.user,
            NotificationDecisionRow.from_seq < seq,
            NotificationDecisionRow.up_to_seq >= seq,
        )
        .order_by(NotificationDecisionRow.decided_at.desc(), NotificationDecisionRow.id.desc())
        .limit(100)
    )
    return NotificationDecisions(
        items=[
            NotificationDecision(channel=row.channel, outcome=row.outcome, decided_at=row.decided_at) for row in rows
        ]
    )
