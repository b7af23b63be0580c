"""Pages of members, in id order: ids never change, so paging neither skips nor repeats a member."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.conversations.conversation_projection import as_member, members
from app.domain.conversations.models import Conversation, Membership
from app.domain.conversations.schemas import MemberPage
from app.domain.cursors import Keyset, UserKey

_KEYSET = Keyset("members", UserKey)


async def members_page(
    session: AsyncSession, conversation: UUID, *, cursor: str | None = None, limit: int = 50
) -> MemberPage:
    """A page of current members. The caller has checked access.

    Raises:
        Invalid: the cursor belongs to another list.
    """
    statement = (
        members()
        .where(Membership.conversation_id == conversation, Membership.left_at.is_(None))
        .order_by(Membership.user_id)
        .limit(limit + 1)
    )
    after = _KEYSET.key(cursor)
    if after is not None:
        statement = statement.where(Membership.user_id > after.user)
    found = (await session.execute(statement)).all()
    shown, following = _KEYSET.page(found, limit, lambda row: UserKey(row.member_user))
    return MemberPage(items=[as_member(row) for row in shown], next=following)


async def members_for(
    session: AsyncSession, conversation: UUID, user: UUID, *, cursor: str | None = None, limit: int = 50
) -> MemberPage:
    """As `members_page`, with an access check. Outsiders may list a public conversation, as in `getConversation`.

    Raises: as `members_page` and `check_access`.
    """
    access = await check_access(session, conversation, user, allow_outsiders=True)
    return await members_page(session, access.conversation, cursor=cursor, limit=limit)


async def groups_of(session: AsyncSession, user: UUID) -> list[UUID]:
    """Ids of the groups `user` is a member of, in id order: a closed account leaves them (at most 5,000)."""
    return list(
        await session.scalars(
            select(Conversation.id)
            .join(Membership, Membership.conversation_id == Conversation.id)
            .where(
                Membership.user_id == user,
                Membership.left_at.is_(None),
                Conversation.kind == "group",
                Conversation.deleted_at.is_(None),
            )
            .order_by(Conversation.id)
        )
    )
