"""Contacts: the check before a user adds another to a group or begins a direct conversation with them.

A user *knows* the other member of a direct conversation that the user began or recently wrote in, and those the user
added to a conversation. All others are strangers. The user's `who_may_add` decides who may add the user. A quota
limits strangers, because otherwise they could fill a list faster than its owner can leave conversations.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import String, Uuid, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations import directs, members
from app.domain.conversations.access import check_access, is_live
from app.domain.conversations.models import Conversation, Membership
from app.domain.error_catalogue import already_member, not_addable
from app.domain.messages.models import MessageRow
from app.domain.users.models import User
from app.domain.users.quotas import Quotas

RECENT_MESSAGES: Final = 1_000
"""The newest messages of a direct conversation that are searched for an answer: no index covers the sender."""

_KEY = bindparam("key", type_=String())
_ADDER, _OTHER = bindparam("adder", type_=Uuid()), bindparam("other", type_=Uuid())
_OTHER_WROTE = (
    select(MessageRow.seq)
    .where(
        MessageRow.conversation_id == Conversation.id,
        MessageRow.seq > Conversation.last_seq - RECENT_MESSAGES,
        MessageRow.sender_id == _OTHER,
    )
    .correlate(Conversation)
    .exists()
)
_CONVERSE = (
    select(Conversation.id)
    .where(Conversation.direct_key == _KEY, or_(Conversation.created_by == _OTHER, _OTHER_WROTE))
    .exists()
)
_ADDED = (
    select(Membership.user_id)
    .where(
        Membership.user_id == _ADDER,
        Membership.left_at.is_(None),
        Membership.was_added,
        Membership.changed_by == _OTHER,
    )
    .exists()
)
_RELATION = select(User.who_may_add, or_(_CONVERSE, _ADDED).label("is_known")).where(User.id == _OTHER, is_live())


async def add(session: AsyncSession, quotas: Quotas, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` makes `other` a member, if the settings of `other` allow it.

    Raises:
        Forbidden: `admins_only`; `not_addable`.
        Throttled: `user` has added too many strangers, or too many strangers have added `other`.
        Invalid, Conflict: as `members.add`.
    """
    # Check before the quotas count, and count before the lock is taken: no request waits for a count.
    (await check_access(session, conversation, user)).require_group().require_admin()
    if await members.role_of(session, conversation, other) is not None:
        raise already_member()
    await _require_addable(session, quotas, user, other)
    await members.add(session, conversation, user, other)


async def start_direct(session: AsyncSession, quotas: Quotas, user: UUID, other: UUID) -> tuple[UUID, bool]:
    """Returns the direct conversation of the pair and whether this call created it, if `other` allows that.

    Raises:
        Forbidden: `not_addable`. An existing conversation is returned regardless.
        Throttled: as `add`.
        Invalid, Conflict: as `directs.get_or_create`.
    """
    if user != other and await directs.find(session, directs.direct_key(user, other)) is None:
        await _require_addable(session, quotas, user, other)
    return await directs.get_or_create(session, user, other)


async def _require_addable(session: AsyncSession, quotas: Quotas, user: UUID, other: UUID) -> None:
    parameters = {"key": directs.direct_key(user, other), "adder": user, "other": other}
    row = (await session.execute(_RELATION, parameters)).one_or_none()
    if row is None or other == user:
        return  # no user to add: the caller raises the error
    if row.who_may_add == "nobody" or (row.who_may_add == "contacts" and not row.is_known):
        # The error does not reveal which of the two: the setting of `other` is private.
        raise not_addable()
    if not row.is_known:
        await quotas.require("additions", str(user))
        await quotas.require("added", str(other))
