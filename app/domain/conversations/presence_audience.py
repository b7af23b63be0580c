"""Small conversations, of up to 200 members: only these publish presence and typing."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, bindparam, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.conversations.models import Conversation, Membership
from app.domain.events import SMALL_CONVERSATION
from app.domain.users.models import User

MAX_AUDIENCE = 200
"""Conversations that receive one user's presence: those joined most recently."""

_MEMBERSHIPS = (
    select(Membership.conversation_id)
    .join(Conversation, Conversation.id == Membership.conversation_id)
    .where(
        Membership.user_id == User.id,
        Membership.left_at.is_(None),
        Conversation.deleted_at.is_(None),
        Conversation.member_count.between(2, SMALL_CONVERSATION),
    )
    .order_by(Membership.joined_at.desc())
    .limit(MAX_AUDIENCE)
    .correlate(User)
    .lateral("mine")
)
_SHARED = (
    select(_MEMBERSHIPS.c.conversation_id, User.id)
    .select_from(User)
    .join(_MEMBERSHIPS, true())
    .where(User.id == bindparam("users", type_=ARRAY(Uuid())).any_())
)
_MEMBERS = select(Membership.user_id).where(
    and_(Membership.conversation_id == bindparam("conversation", type_=Uuid()), Membership.left_at.is_(None))
)
_SIZE = select(Conversation.member_count).where(Conversation.id == bindparam("conversation", type_=Uuid()))


async def is_small(session: AsyncSession, conversation: UUID) -> bool:
    """Whether the conversation publishes typing. False if it does not exist."""
    count = await session.scalar(_SIZE, {"conversation": conversation})
    return count is not None and count <= SMALL_CONVERSATION


async def small_conversations(session: AsyncSession, users: Collection[UUID]) -> list[tuple[UUID, UUID]]:
    """(conversation, user) for the small conversations that these users share with others, the latest 200 per user."""
    rows = await session.execute(_SHARED, {"users": list(users)})
    return [(conversation, user) for conversation, user in rows]


async def presence_audience(session: AsyncSession, conversation: UUID, user: UUID) -> list[UUID]:
    """The members of a small conversation, for its member `user`. Empty for a larger conversation.

    Raises:
        NotFound, Forbidden: as `check_access`.
    """
    access = await check_access(session, conversation, user)
    if access.member_count > SMALL_CONVERSATION:
        return []
    return list((await session.scalars(_MEMBERS, {"conversation": conversation})).all())
