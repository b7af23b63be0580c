"""Members: join, add, remove, leave, and the succession when the creator leaves.

Each function takes the conversation's lock first, so they run one after another. While a conversation has a member it
has exactly one creator, who is an admin and a member; when the last member leaves, the conversation closes.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.conversations.access import Access, is_live, lock, lock_for_change
from app.domain.conversations.conversation_projection import member_of
from app.domain.conversations.groups import close
from app.domain.conversations.membership_changes import (
    begin_membership,
    change_itself,
    end_membership,
    give_role,
    hold_newcomers,
)
from app.domain.conversations.models import Conversation, Membership
from app.domain.error_catalogue import (
    already_joined,
    already_member,
    conversation_full,
    creator_fixed,
    not_a_member,
    not_joined,
)
from app.domain.size_limits import MAX_MEMBERS
from app.domain.users.models import User


async def join(session: AsyncSession, conversation: UUID, user: UUID) -> None:
    """`user` joins a public conversation.

    Raises:
        NotFound: the conversation does not exist, or is private and `user` is not a member.
        Conflict: `direct`, `already_member`, `conversation_full`, `too_many_conversations`.
    """
    door = (await lock_for_change(session, conversation, user, allow_outsiders=True)).require_group()
    if door.is_member:
        raise already_joined()
    _require_room(door)
    await hold_newcomers(session, user, caller=user)
    await begin_membership(session, conversation, user, by=user)


async def add(session: AsyncSession, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` makes `other` a member.

    Raises:
        Forbidden: `admins_only`.
        Invalid: `unknown_user`: the account does not exist or is not live.
        Conflict: `direct`, `already_member`, `conversation_full`, `too_many_conversations`.
    """
    door = (await lock_for_change(session, conversation, user)).require_group().require_admin()
    if await role_of(session, conversation, other) is not None:
        raise already_member()
    _require_room(door)
    await hold_newcomers(session, other, caller=user)
    await begin_membership(session, conversation, other, by=user)


async def remove(session: AsyncSession, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` removes `other`.

    Raises:
        Forbidden: `admins_only`; `creator`: the creator cannot be removed.
        Conflict: `direct`, `not_a_member`.
    """
    door = (await lock_for_change(session, conversation, user)).require_group().require_admin()
    await require_ordinary(session, door, other)
    await end_membership(session, conversation, other, by=user)
    await log.record_action(
        session, by=user, action="member.removed", subject=other, details={"conversation": str(conversation)}
    )


async def leave(session: AsyncSession, conversation: UUID, user: UUID) -> None:
    """`user` leaves. The longest-serving admin (else member) succeeds the creator; the last member closes the group.

    Raises:
        NotFound: the conversation does not exist, or is private and `user` is not a member.
        Conflict: `direct`; `not_a_member` of a public one.
    """
    door = (await lock_for_change(session, conversation, user, allow_outsiders=True)).require_group()
    if not door.is_member:
        raise not_joined()
    await _go(session, conversation, user, was_creator=door.is_creator)


async def take_out(session: AsyncSession, conversation: UUID, user: UUID) -> bool:
    """Takes a closed account out of a group. Returns whether it was a member. Safe to run twice."""
    await lock(session, conversation)
    creator = await session.scalar(
        select(Conversation.creator_id).where(
            Conversation.id == conversation, Conversation.kind == "group", Conversation.deleted_at.is_(None)
        )
    )
    if creator is None or await role_of(session, conversation, user) is None:
        return False
    await _go(session, conversation, user, was_creator=creator == user)
    return True


async def role_of(session: AsyncSession, conversation: UUID, user: UUID) -> str | None:
    """The role of a current member, else None."""
    row = await member_of(session, conversation, user)
    return None if row is None or row.member_left_at is not None else row.member_role


async def require_ordinary(session: AsyncSession, door: Access, other: UUID) -> str:
    """Returns the role of a member other than the creator. The caller holds the lock.

    Raises:
        Forbidden: `creator`.
        Conflict: `not_a_member`.
    """
    if other == door.creator:
        raise creator_fixed()
    role = await role_of(session, door.conversation, other)
    if role is None:
        raise not_a_member()
    return role


def _require_room(door: Access) -> None:
    if door.member_count >= MAX_MEMBERS:
        raise conversation_full()


async def _go(session: AsyncSession, conversation: UUID, user: UUID, *, was_creator: bool) -> None:
    await end_membership(session, conversation, user, by=user)
    if was_creator:
        await _succeed(session, conversation, user)


async def _succeed(session: AsyncSession, conversation: UUID, before: UUID) -> None:
    """Picks the longest-serving member by log position, not by clock. A live account precedes one that is not."""
    heir = (
        await session.execute(
            select(Membership.user_id, Membership.role)
            .join(User, User.id == Membership.user_id)
            .where(Membership.conversation_id == conversation, Membership.left_at.is_(None))
            .order_by(is_live().desc(), (Membership.role == "admin").desc(), Membership.created_position)
            .limit(1)
        )
    ).one_or_none()
    if heir is None:
        await close(session, conversation, by=before)
        return
    await change_itself(session, conversation, "conversation.updated", by=before, creator_id=heir.user_id)
    if heir.role != "admin":
        await give_role(session, conversation, heir.user_id, "admin", by=before)
