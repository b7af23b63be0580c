"""The audience of a broadcast: accounts that existed when it was sent and match its audience."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.broadcasts.models import BroadcastRow
from app.domain.conversations.models import Membership
from app.domain.users.account_status import account_is_open
from app.domain.users.models import User


def is_addressed() -> ColumnElement[bool]:
    """SQL condition on `User` and a joined `BroadcastRow`: the broadcast is addressed to this account."""
    member = (
        select(Membership.user_id)
        .where(
            Membership.user_id == User.id,
            Membership.conversation_id == any_(BroadcastRow.conversations),
            Membership.left_at.is_(None),
            Membership.joined_at <= _sent_at(),
        )
        .exists()
    )
    return and_(
        User.created_at <= _sent_at(),
        or_(
            BroadcastRow.audience == "everybody",
            and_(BroadcastRow.audience == "operators", User.is_operator),
            and_(BroadcastRow.audience == "conversations", member),
        ),
    )


async def size(session: AsyncSession, broadcast: UUID) -> int:
    """Returns the number of accounts that it is addressed to and that can log in. As many would receive a mail now."""
    query = (
        select(func.count())
        .select_from(User)
        .join(BroadcastRow, BroadcastRow.id == broadcast)
        .where(account_is_open(), is_addressed())
    )
    return int(await session.scalar(query) or 0)


def _sent_at() -> ColumnElement[object]:
    return func.coalesce(BroadcastRow.sent_at, func.clock_timestamp())
