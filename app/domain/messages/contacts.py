"""Who may add whom: the door before adding a person to a group, and before beginning a direct conversation with them.

Somebody *knows* the people with whom they share a direct conversation that they began or wrote in lately, and those
they added to a conversation themselves. Everybody else is a stranger to them. Strangers are let in as `who_may_add`
says, and only so often, or they fill a list with conversations faster than its owner leaves them.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import String, Uuid, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.quotas import Quotas
from app.domain.conversations import directs, members
from app.domain.conversations.access import check_access, live
from app.domain.conversations.models import Conversation, Membership
from app.domain.errors import Conflict, Forbidden
from app.domain.messages.models import MessageRow
from app.domain.users.models import User

LATELY: Final = 1_000
"""Messages of a direct conversation among which an answer is looked for: no index leads to a sender's."""

_KEY = bindparam("key", type_=String())
_ADDER, _OTHER = bindparam("adder", type_=Uuid()), bindparam("other", type_=Uuid())
_WROTE = (
    select(MessageRow.seq)
    .where(
        MessageRow.conversation_id == Conversation.id,
        MessageRow.seq > Conversation.last_seq - LATELY,
        MessageRow.sender_id == _OTHER,
    )
    .correlate(Conversation)
    .exists()
)
_CONVERSE = (
    select(Conversation.id)
    .where(Conversation.direct_key == _KEY, or_(Conversation.created_by == _OTHER, _WROTE))
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
_STANDING = select(User.who_may_add, or_(_CONVERSE, _ADDED).label("is_known")).where(User.id == _OTHER, live())


async def add(session: AsyncSession, quotas: Quotas, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` makes `other` a member, if `other` lets them.

    Raises:
        Forbidden: `admins_only`; `not_addable`.
        Throttled: `user` has added too many strangers, or too many strangers have added `other`.
        Invalid, Conflict: as `members.add`.
    """
    # Judged before anything is counted, and counted before the lock is taken: nobody waits for a count.
    (await check_access(session, conversation, user)).require_group().require_admin()
    if await members.role_of(session, conversation, other) is not None:
        raise Conflict("already_member", "This person is a member already.")
    await _require_addable(session, quotas, user, other)
    await members.add(session, conversation, user, other)


async def converse(session: AsyncSession, quotas: Quotas, user: UUID, other: UUID) -> tuple[UUID, bool]:
    """The direct conversation of these two, and whether it was created now, if `other` lets `user` begin one.

    Raises:
        Forbidden: `not_addable`. One that exists is found all the same.
        Throttled: as `add`.
        Invalid, Conflict: as `directs.get_or_create`.
    """
    if user != other and await directs.find(session, directs.direct_key(user, other)) is None:
        await _require_addable(session, quotas, user, other)
    return await directs.get_or_create(session, user, other)


async def _require_addable(session: AsyncSession, quotas: Quotas, user: UUID, other: UUID) -> None:
    asked = {"key": directs.direct_key(user, other), "adder": user, "other": other}
    row = (await session.execute(_STANDING, asked)).one_or_none()
    if row is None or other == user:
        return  # nobody to be added: the verb says so
    if row.who_may_add == "nobody" or (row.who_may_add == "contacts" and not row.is_known):
        # Not which of the two: that is between `other` and the service.
        raise Forbidden("not_addable", "You cannot add this person or begin a conversation with them.")
    if not row.is_known:
        await quotas.require("additions", str(user))
        await quotas.require("added", str(other))
