"""Propagates a rename to every conversation that the user is a member of, and the closure of an account also to those
that the user was a member of. Until then a former member keeps the name on leaving (see `conversation_projection`).

Each conversation is one transaction, in id order. The user's row stores the progress, so that another task continues
there after a crash. A further change during the run starts it again from the first conversation.
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
from app.domain.users.models import User

CONVERSATIONS_PER_TURN = 500
LEASE = timedelta(seconds=3)
"""A task counts as dead this long after its last step. The sweep runs every 5 s, so another continues within 8 s."""


async def conversations_showing(
    session: AsyncSession, user: UUID, *, closed: bool, after: UUID | None = None, limit: int = 500
) -> list[UUID]:
    """Conversations that show the present name of `user`, in id order after `after`, without deleted ones.

    These are the conversations that `user` is a member of, and of a `closed` account also the former ones.
    """
    statement = (
        select(Membership.conversation_id)
        .join(Conversation, Conversation.id == Membership.conversation_id)
        .where(Membership.user_id == user, Conversation.deleted_at.is_(None))
        .order_by(Membership.conversation_id)
        .limit(limit)
    )
    if not closed:
        statement = statement.where(Membership.left_at.is_(None))
    if after is not None:
        statement = statement.where(Membership.conversation_id > after)
    return list(await session.scalars(statement))


async def propagate_name(session: AsyncSession, conversation: UUID, user: UUID, *, closed: bool = False) -> bool:
    """Publishes the present name of `user` and makes cached messages stale.

    Returns False if the conversation is deleted, or if `user` is not a member of it (if `closed`: and never was).
    """
    await lock(session, conversation)
    edited = await session.scalar(
        select(Conversation.edited_position).where(Conversation.id == conversation, Conversation.deleted_at.is_(None))
    )
    row = await member_of(session, conversation, user)
    if edited is None or row is None or (row.member_left_at is not None and not closed):
        return False
    await change_name(session, conversation, row, edited=edited)
    return True


async def users_with_pending_names(session: AsyncSession) -> list[UUID]:
    """Users with a rename or a closure that has not reached all their conversations; at most 500."""
    statement = (
        select(User.id)
        .where(User.version > User.told_version, ~_is_propagating())
        .order_by(User.id)
        .limit(CONVERSATIONS_PER_TURN)
    )
    return list(await session.scalars(statement))


async def begin_propagation(session: AsyncSession, user: UUID, *, again: bool = False) -> bool:
    """Tries to become the one task that propagates this user's changes. False: nothing to propagate, or another task
    holds the lease and will see the change.

    `again`: a retry after a failure. The lease is the task's own, so it does not wait for its end.
    """
    free = true() if again else ~_is_propagating()
    begun = await session.scalar(
        update(User)
        .where(User.id == user, User.version > User.told_version, free)
        .values(teller_until=func.clock_timestamp() + LEASE)
        .returning(User.id)
    )
    return begun is not None


async def release_propagation(session: AsyncSession, user: UUID) -> None:
    """Ends the lease, so that the next task continues at once."""
    await session.execute(update(User).where(User.id == user).values(teller_until=None))


def _is_propagating() -> ColumnElement[bool]:
    return func.coalesce(User.teller_until > func.clock_timestamp(), False)


async def propagate_next(session: AsyncSession, user: UUID) -> bool:
    """Propagates to one more conversation, which a closed account also leaves. Returns whether there may be more.

    Two tasks at once may propagate to the same conversation twice, which is harmless.
    """
    statement = select(User.version, User.told_version, User.told_through, User.closed_at).where(User.id == user)
    person = (await session.execute(statement)).one_or_none()
    if person is None or person.version == person.told_version:
        return False
    closed = person.closed_at is not None
    following = await conversations_showing(session, user, closed=closed, after=person.told_through, limit=1)
    if following:
        if closed:
            await take_out(session, following[0], user)
        await propagate_name(session, following[0], user, closed=closed)
    elif closed:
        await _erase_left_names(session, user)
    # Store progress only for the present version: after another change, all conversations need it again.
    await session.execute(
        update(User)
        .where(User.id == user, User.version == person.version)
        .values(
            {"told_through": following[0], "teller_until": func.clock_timestamp() + LEASE}
            if following
            else {"told_through": None, "told_version": person.version, "teller_until": None}
        )
    )
    return True


async def _erase_left_names(session: AsyncSession, user: UUID) -> None:
    """Erases the names of a closed account that deleted conversations still have."""
    await session.execute(
        update(Membership)
        .where(Membership.user_id == user, Membership.left_first_name.is_not(None))
        .values(left_first_name=None, left_last_name=None)
    )
