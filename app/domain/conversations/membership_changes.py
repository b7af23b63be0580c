"""Writes membership rows. Every change is a step in the log and is published with the row's state after it.

Callers hold the conversation's lock and have checked the rules; this module only keeps the order: move, write, record.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.conversations import change_log
from app.domain.conversations.access import is_live
from app.domain.conversations.change_log import LogStep, move, move_meta
from app.domain.conversations.conversation_projection import as_member, facts_of, member_of, member_type
from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.conversations.schemas import ConversationFacts, Member, Role
from app.domain.error_catalogue import (
    not_authenticated,
    too_many_conversations,
    unknown_user,
    user_has_too_many_conversations,
)
from app.domain.orm import AnyRow, bucket_now
from app.domain.size_limits import MAX_CONVERSATIONS
from app.domain.users.models import User


async def hold_people(session: AsyncSession, *users: UUID) -> set[UUID]:
    """Locks these accounts, in id order and after any conversation. Returns those that are live.

    The row locks keep a user from exceeding the limit by joining two conversations at once. They also keep an account
    from being closed while it is being added, so that its closure finds the membership.
    """
    held = await session.execute(
        select(User.id, is_live().label("live"))
        .where(User.id.in_(users))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    return {row.id for row in held if row.live}


async def hold_newcomers(session: AsyncSession, *users: UUID, caller: UUID) -> None:
    """Locks the accounts of future members, as `hold_people` does. `caller` makes the request and may be one of them.

    Raises:
        Unauthenticated: the caller is one of them, and the account is not live.
        Invalid: `unknown_user`: the account does not exist or is not live.
        Conflict: `too_many_conversations`: one of them has reached the limit.
    """
    missing = set(users) - await hold_people(session, *users)
    if caller in missing:
        raise not_authenticated()
    if missing:
        raise unknown_user()
    await _below_the_limit(session, *users, caller=caller)


async def _below_the_limit(session: AsyncSession, *users: UUID, caller: UUID) -> None:
    full = await session.scalar(
        select(Membership.user_id)
        .join(Conversation, Conversation.id == Membership.conversation_id)
        .where(
            Membership.user_id.in_(users),
            Membership.left_at.is_(None),
            Conversation.deleted_at.is_(None),
            is_listed(),
        )
        .group_by(Membership.user_id)
        .having(func.count() >= MAX_CONVERSATIONS)
        .limit(1)
    )
    if full is not None:
        raise too_many_conversations() if full == caller else user_has_too_many_conversations()


async def begin_membership(
    session: AsyncSession, conversation: UUID, user: UUID, *, by: UUID, role: Role = "member"
) -> None:
    """Makes `user` a member, added by another user or joining (`by` is `user`).

    Rejoining reuses the row. Messages sent in the meantime count as read: `read_seq` starts at `last_seq`, which it
    never exceeds. The caller holds the account (`hold_newcomers`), so its name stays. If the name is not the one on
    leaving, cached messages become stale.
    """
    edited = await _edited_if_renamed(session, conversation, user)
    step = await move(session, conversation, edited=edited, member_count=Conversation.member_count + 1)
    now = {
        "role": role,
        "joined_at": func.clock_timestamp(),
        "left_at": None,
        "ended": None,
        "left_first_name": None,
        "left_last_name": None,
        "joined_seq": step.last_seq,
        "read_seq": step.last_seq,
        "created_position": step.position,
        "position": step.position,
        "was_added": by != user,
        "changed_by": by,
        "changed_bucket": bucket_now(),
    }
    await session.execute(
        insert(Membership)
        .values(conversation_id=conversation, user_id=user, **now)
        .on_conflict_do_update(index_elements=["conversation_id", "user_id"], set_=now)
    )
    await _tell(session, conversation, user, "member.joined" if by == user else "member.added", step)


async def end_membership(session: AsyncSession, conversation: UUID, user: UUID, *, by: UUID) -> None:
    """Ends the membership of `user`, removed by another user or leaving (`by` is `user`).

    The conversation keeps the present name. If that name has yet to reach the conversation, it never will by itself, so
    cached messages become stale now.
    """
    removed = by != user
    name = await _hold_name(session, user)
    edited = await _edited(session, conversation) if name.pending else None
    step = await move(session, conversation, edited=edited, member_count=Conversation.member_count - 1)
    await _write(
        session,
        conversation,
        user,
        step,
        left_at=func.clock_timestamp(),
        ended="removed" if removed else "left",
        left_first_name=name.first_name,
        left_last_name=name.last_name,
        changed_by=by,
    )
    await _tell(session, conversation, user, "member.removed" if removed else "member.left", step)


async def give_role(session: AsyncSession, conversation: UUID, user: UUID, role: Role, *, by: UUID) -> None:
    """Gives a member the role `role`."""
    step = await move(session, conversation)
    await _write(session, conversation, user, step, role=role, changed_by=by)
    await _tell(session, conversation, user, "member.promoted" if role == "admin" else "member.demoted", step)


async def change_name(session: AsyncSession, conversation: UUID, row: AnyRow, *, edited: int) -> None:
    """Publishes the present name of the user behind a membership (`MEMBER_COLUMNS`). Cached messages are stale.

    An ended membership stays ended: its end is published once more, without the name on leaving. `edited` is the
    conversation's `edited_position` under the lock.
    """
    step = await move(session, conversation, edited=edited)
    ended = row.member_left_at is not None
    values: dict[str, Any] = (
        {"left_first_name": None, "left_last_name": None} if ended else {"changed_by": row.member_user}
    )
    await _write(session, conversation, row.member_user, step, **values)
    await _tell(session, conversation, row.member_user, member_type(row, step.prev), step)


async def change_itself(
    session: AsyncSession,
    conversation: UUID,
    event: Literal["conversation.updated", "conversation.deleted"],
    *,
    by: UUID,
    **values: Any,
) -> None:
    """Changes columns of the conversation itself, which counts as activity."""
    step = await move_meta(session, conversation, by=by, **values)
    facts = await facts_of(session, conversation)
    events.record(session, _change(event, facts, conversation, step))


async def _hold_name(session: AsyncSession, user: UUID) -> AnyRow:
    """Locks the account, so that its name stays, and returns `first_name`, `last_name` and whether a change of it has
    yet to reach some conversation (`pending`). The caller holds the conversation's lock."""
    statement = (
        select(User.first_name, User.last_name, (User.version > User.told_version).label("pending"))
        .where(User.id == user)
        .with_for_update(key_share=True)
    )
    return (await session.execute(statement)).one()


async def _edited_if_renamed(session: AsyncSession, conversation: UUID, user: UUID) -> int | None:
    """The conversation's `edited_position` if it shows a former member under another name than the current one."""
    return await session.scalar(
        select(Conversation.edited_position)
        .join(Membership, Membership.conversation_id == Conversation.id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.conversation_id == conversation,
            Membership.user_id == user,
            Membership.left_first_name.is_not(None),
            func.row(Membership.left_first_name, Membership.left_last_name).is_distinct_from(
                func.row(User.first_name, User.last_name)
            ),
        )
    )


async def _edited(session: AsyncSession, conversation: UUID) -> int | None:
    return await session.scalar(select(Conversation.edited_position).where(Conversation.id == conversation))


async def _write(session: AsyncSession, conversation: UUID, user: UUID, step: LogStep, **values: Any) -> None:
    await session.execute(
        update(Membership)
        .where(Membership.conversation_id == conversation, Membership.user_id == user)
        .values(position=step.position, changed_bucket=bucket_now(), **values)
    )


async def _tell(session: AsyncSession, conversation: UUID, user: UUID, event: events.ChangeType, step: LogStep) -> None:
    row = await member_of(session, conversation, user)
    assert row is not None, "the membership was just written"
    events.record(session, _change(event, as_member(row), conversation, step))


def _change(
    event: events.ChangeType, view: Member | ConversationFacts, conversation: UUID, step: LogStep
) -> events.LogChange:
    return change_log.view_change(
        event,
        view,
        conversation=conversation,
        position=step.position,
        last_seq=step.last_seq,
        edited=step.edited,
        edited_before=step.edited_before,
    )
