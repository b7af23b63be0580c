"""A member's notification preferences for one conversation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.conversations.models import Membership
from app.domain.notifications.models import Subscription
from app.domain.notifications.schemas import Attention
from app.domain.users.caller import Caller
from app.domain.validation import to_utc


async def preferences(session: AsyncSession, caller: Caller, conversation: UUID) -> Attention:
    """Returns the caller's preferences for a conversation. Raises the errors of `check_access`."""
    await check_access(session, conversation, caller.user)
    row = (
        await session.execute(
            select(Subscription.level, Subscription.muted_until, Subscription.mails).where(
                Subscription.conversation_id == conversation, Subscription.user_id == caller.user
            )
        )
    ).one_or_none()
    if row is None:
        return Attention(level="all", muted_until=None, mails=True)
    return Attention(level=row.level, muted_until=row.muted_until, mails=row.mails)


async def set_preferences(
    session: AsyncSession,
    caller: Caller,
    conversation: UUID,
    *,
    level: Literal["all", "mentions", "none"],
    muted_until: datetime | None,
    mails: bool,
) -> Attention:
    """Sets the caller's preferences. A `muted_until` in the past mutes nothing.

    Raises:
        Invalid: `muted_until` has no time zone.
        NotFound, Forbidden: see `check_access`.
    """
    if muted_until is not None:
        muted_until = to_utc(muted_until, "muted_until")
    await check_access(session, conversation, caller.user)
    values: dict[str, Any] = {"level": level, "muted_until": muted_until, "mails": mails}
    joined = select(Membership.joined_seq).where(
        Membership.conversation_id == conversation, Membership.user_id == caller.user
    )
    await session.execute(
        upsert(Subscription)
        .values(conversation_id=conversation, user_id=caller.user, decided_seq=joined.scalar_subquery(), **values)
        .on_conflict_do_update(index_elements=["conversation_id", "user_id"], set_=values)
    )
    return Attention(level=level, muted_until=muted_until, mails=mails)
