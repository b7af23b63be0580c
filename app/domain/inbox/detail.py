"""The detail of one conversation. Outsiders see the name and members of a public one, but no message."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.queries import members_page
from app.domain.inbox.queries import opened
from app.domain.inbox.schemas import ConversationDetail

FIRST_MEMBERS = 50


async def detail(session: AsyncSession, conversation: UUID, user: UUID) -> ConversationDetail:
    """Returns the summary and the first members. The members are read last, so they are never older than `position`.

    Raises:
        NotFound: the conversation does not exist, or is private and `user` is not a member.
    """
    line, row = await opened(session, conversation, user)
    people = await members_page(session, conversation, limit=FIRST_MEMBERS)
    return ConversationDetail(
        **{name: getattr(line, name) for name in line.__struct_fields__},
        created_by=row.created_by,
        created_at=row.created_at,
        members=people.items,
        member_count=row.member_count,
    )
