"""A person who is called otherwise, or whose account is closed, is a change in each conversation they were ever in.

One transaction for each, in order of their ids; how far it got stands in the user's row, so that it goes on there
whoever dies. Another change meanwhile begins anew.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.access import lock
from app.domain.conversations.conversation_projection import member_of
from app.domain.conversations.members import take_out
from app.domain.conversations.membership_changes import change_name
from app.domain.conversations.models import Conversation, Membership
from app.domain.orm import UNSYNCHRONIZED
from app.domain.users.models import User

CONVERSATIONS_PER_TURN = 500
LEASE = timedelta(seconds=3)
"""How long after its last step a teller counts as dead. The sweep comes every 5 s: within 8 s another one goes on."""


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


async def propagate_name(session: AsyncSession, conversation: UUID, user: UUID) -> bool:
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


async def users_with_pending_names(session: AsyncSession) -> list[UUID]:
    """People of whom some conversation does not know what they are called now, or that they are gone; at most 500."""
    statement = (
        select(User.id)
        .where(User.version > User.told_version, ~_is_propagating())
        .order_by(User.id)
        .limit(CONVERSATIONS_PER_TURN)
    )
    return list(await session.scalars(statement))


async def begin_propagation(session: AsyncSession, user: UUID, *, again: bool = False) -> bool:
    """Whether there is something to tell, and no other teller is at it: that one sees another change by itself.

    `again`: a teller that failed comes back. The lease is its own, and waiting for its end would only lose time.
    """
    free = true() if again else ~_is_propagating()
    begun = await session.scalar(
        update(User)
        .where(User.id == user, User.version > User.told_version, free)
        .values(teller_until=func.clock_timestamp() + LEASE)
        .returning(User.id),
        execution_options=UNSYNCHRONIZED,
    )
    return begun is not None


async def release_propagation(session: AsyncSession, user: UUID) -> None:
    """Whoever comes next goes on at once."""
    await session.execute(
        update(User).where(User.id == user).values(teller_until=None), execution_options=UNSYNCHRONIZED
    )


def _is_propagating() -> ColumnElement[bool]:
    return func.coalesce(User.teller_until > func.clock_timestamp(), False)


async def propagate_next(session: AsyncSession, user: UUID) -> bool:
    """Tell one more conversation, which who closed their account also leaves; whether there may be another.

    Told twice (by tasks side by side) is told once more, and harmless.
    """
    statement = select(User.version, User.told_version, User.told_through, User.closed_at).where(User.id == user)
    person = (await session.execute(statement)).one_or_none()
    if person is None or person.version == person.told_version:
        return False
    following = await conversations_ever(session, user, after=person.told_through, limit=1)
    if following:
        if person.closed_at is not None:
            await take_out(session, following[0], user)
        await propagate_name(session, following[0], user)
    # Of a version that is not the present one nothing is noted: its conversations have to be told again.
    await session.execute(
        update(User)
        .where(User.id == user, User.version == person.version)
        .values(
            {"told_through": following[0], "teller_until": func.clock_timestamp() + LEASE}
            if following
            else {"told_through": None, "told_version": person.version, "teller_until": None}
        ),
        execution_options=UNSYNCHRONIZED,
    )
    return True
