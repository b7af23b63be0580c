"""The writing of a membership row: every change of it is a step in the log, told with the row as it stands then.

Callers hold the conversation's lock and have judged; here nothing is decided but the order: move, write, record.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.conversations import change_log
from app.domain.conversations.access import live
from app.domain.conversations.change_log import LogStep, move, move_meta
from app.domain.conversations.conversation_projection import as_member, facts_of, member_of, member_type
from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.conversations.schemas import ConversationFacts, Member, Role
from app.domain.errors import Conflict, Invalid, Unauthenticated
from app.domain.orm import UNSYNCHRONIZED, AnyRow, bucket_now
from app.domain.users.models import User

MAX_MEMBERS = 10_000
MAX_CONVERSATIONS = 5_000
"""Contract: at most so many members a conversation, so many conversations a user, hidden ones left out."""


async def hold_people(session: AsyncSession, *users: UUID) -> set[UUID]:
    """Lock these accounts, in id order and after any conversation, and tell which of them may act.

    Under their rows nobody passes the limit of conversations by joining two at once, and no account is closed while
    it is being added: its closing finds the membership.
    """
    held = await session.execute(
        select(User.id, live().label("live"))
        .where(User.id.in_(users))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    return {row.id for row in held if row.live}


async def hold_newcomers(session: AsyncSession, *users: UUID, caller: UUID) -> None:
    """As hold_people, for those about to become members; `caller` is who asks, one of them or not.

    Raises:
        Unauthenticated: the caller is one of them, and the account is over.
        Invalid: `unknown_user`: there is no such account, or it is over.
        Conflict: `too_many_conversations`: one of them has reached the limit.
    """
    missing = set(users) - await hold_people(session, *users)
    if caller in missing:
        raise Unauthenticated
    if missing:
        raise Invalid("unknown_user", "There is no such person.", errors=(("user", "There is no such person."),))
    await _below_the_limit(session, *users)


async def _below_the_limit(session: AsyncSession, *users: UUID) -> None:
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
        raise Conflict("too_many_conversations", f"Nobody is in more than {MAX_CONVERSATIONS:,} conversations.")


async def begin_membership(
    session: AsyncSession, conversation: UUID, user: UUID, *, by: UUID, role: Role = "member"
) -> None:
    """`user` is a member from now on, added by somebody or joining by themselves (`by` is `user`).

    Coming back reuses the row. What was said meanwhile counts as read: `read_seq` starts at `last_seq`, which it can
    only be behind.
    """
    step = await move(session, conversation, member_count=Conversation.member_count + 1)
    now = {
        "role": role,
        "joined_at": func.clock_timestamp(),
        "left_at": None,
        "ended": None,
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
    """`user` is no longer a member: removed by somebody, or gone by themselves (`by` is `user`)."""
    removed = by != user
    step = await move(session, conversation, member_count=Conversation.member_count - 1)
    ended = "removed" if removed else "left"
    await _write(session, conversation, user, step, left_at=func.clock_timestamp(), ended=ended, changed_by=by)
    await _tell(session, conversation, user, "member.removed" if removed else "member.left", step)


async def give_role(session: AsyncSession, conversation: UUID, user: UUID, role: Role, *, by: UUID) -> None:
    """A member is an admin from now on, or no longer."""
    step = await move(session, conversation)
    await _write(session, conversation, user, step, role=role, changed_by=by)
    await _tell(session, conversation, user, "member.promoted" if role == "admin" else "member.demoted", step)


async def change_name(session: AsyncSession, conversation: UUID, row: AnyRow, *, edited: int) -> None:
    """The person behind a membership (`MEMBER_COLUMNS`, ended or not) is called otherwise: cached messages lie now.

    A membership that is over stays over: it is told as ended once more, with the new name. `edited` is the
    conversation's `edited_position` under the lock.
    """
    step = await move(session, conversation, edited=edited)
    ended = row.member_left_at is not None
    by = {} if ended else {"changed_by": row.member_user}
    await _write(session, conversation, row.member_user, step, **by)
    await _tell(session, conversation, row.member_user, member_type(row, step.prev), step)


async def change_itself(
    session: AsyncSession,
    conversation: UUID,
    event: Literal["conversation.updated", "conversation.deleted"],
    *,
    by: UUID,
    **values: Any,
) -> None:
    """The conversation's own columns change, which counts as activity."""
    step = await move_meta(session, conversation, by=by, **values)
    facts = await facts_of(session, conversation)
    events.record(session, _change(event, facts, conversation, step))


async def _write(session: AsyncSession, conversation: UUID, user: UUID, step: LogStep, **values: Any) -> None:
    await session.execute(
        update(Membership)
        .where(Membership.conversation_id == conversation, Membership.user_id == user)
        .values(position=step.position, changed_bucket=bucket_now(), **values),
        execution_options=UNSYNCHRONIZED,
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
