"""One conversation, opened. Outsiders see a public one: its name and people, but no message."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.queries import members_page
from app.domain.inbox.queries import opened
from app.domain.inbox.schemas import ConversationDetail

FIRST_MEMBERS = 50


async def detail(session: AsyncSession, conversation: UUID, user: UUID) -> ConversationDetail:
    """A line of the list and more. The members are read last, so they are never older than `position`.

    Raises:
        NotFound: there is no such conversation, or it is private and `user` is not in it.
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
