"""The detail of one message: the message and the members who have read it, by their read cursors."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import check_access
from app.domain.conversations.models import Membership
from app.domain.messages.message_projection import as_message, find
from app.domain.messages.schemas import MessageDetail, SeenBy
from app.domain.users.caller import Caller
from app.domain.users.models import User
from app.domain.users.schemas import Person

FIRST_READERS = 50


async def detail(session: AsyncSession, conversation: UUID, message: UUID, by: Caller) -> MessageDetail:
    """Returns the message with `seen_by`: its sender, and the members with `joined_seq < seq <= read_seq`.

    Raises:
        NotFound, Forbidden: the caller may not read here, or there is no such message in this conversation.
    """
    await check_access(session, conversation, by.user)
    view = as_message(await find(session, conversation, message))
    seen_by = await _seen_by(session, conversation, view.seq, view.sent_by)
    return MessageDetail(**{name: getattr(view, name) for name in view.__struct_fields__}, seen_by=seen_by)


async def _seen_by(session: AsyncSession, conversation: UUID, seq: int, sender: Person) -> SeenBy:
    others: ColumnElement[bool] = and_(
        Membership.conversation_id == conversation,
        Membership.user_id != sender.id,
        Membership.left_at.is_(None),
        Membership.joined_seq < seq,
        Membership.read_seq >= seq,
    )
    count = (await session.execute(select(func.count()).select_from(Membership).where(others))).scalar_one()
    people = await session.execute(
        select(User.id, User.first_name, User.last_name)
        .join(Membership, Membership.user_id == User.id)
        .where(others)
        .order_by(Membership.read_seq.desc(), User.id)
        .limit(FIRST_READERS - 1)
    )
    readers = [Person(id=row.id, first_name=row.first_name, last_name=row.last_name) for row in people]
    return SeenBy(count=count + 1, users=[sender, *readers])
