"""A person who is called otherwise is a change in each conversation they were ever in; one transaction for each."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.doors import lock
from app.domain.conversations.facts import member_of
from app.domain.conversations.memberships import change_name
from app.domain.conversations.models import Conversation, Membership


async def conversations_ever(
    session: AsyncSession, user: UUID, *, after: UUID | None = None, limit: int = 500
) -> list[UUID]:
    """Where `user` is or was a member, by id, from after `after` on; deleted ones left out."""
    statement = (
        select(Membership.conversation_id)
        .join(Conversation, Conversation.id == Membership.conversation_id)
        .where(Membership.user_id == user, Conversation.deleted_at.is_(None))
        .order_by(Membership.conversation_id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(Membership.conversation_id > after)
    return list(await session.scalars(statement))


async def tell_name(session: AsyncSession, conversation: UUID, user: UUID) -> bool:
    """Tell the members what `user` is called now, and unprove cached messages; whether there was anybody to tell."""
    await lock(session, conversation)
    edited = await session.scalar(
        select(Conversation.edited_position).where(Conversation.id == conversation, Conversation.deleted_at.is_(None))
    )
    row = await member_of(session, conversation, user)
    if edited is None or row is None:
        return False
    await change_name(session, conversation, row, edited=edited)
    return True
