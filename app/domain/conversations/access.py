"""One door to a conversation: the membership. The same for REST, sockets and tasks, and for one or many at once.

Who stands outside a private conversation gets the very error of a conversation that does not exist. A change goes
through `lock_door`: it takes the conversation's row first and looks on a fresh snapshot afterwards, because a
statement that locks and looks at once sees what was true before it waited (a member added just after her removal).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, bindparam, column, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation, Membership, still_in
from app.domain.conversations.schemas import Kind, Role
from app.domain.errors import ChatError, Conflict, Forbidden, NotFound, Unauthenticated
from app.domain.orm import AnyRow, Reader
from app.domain.users.models import LoginSession, User


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it stands, and the membership of who asks. `role` is None for who stands outside."""

    conversation: UUID
    kind: Kind
    is_private: bool
    creator: UUID
    last_seq: int
    position: int
    edited_position: int
    member_count: int
    user: UUID
    role: Role | None
    read_seq: int
    joined_seq: int
    joined_at: datetime | None
    hidden_seq: int

    @property
    def is_member(self) -> bool:
        return self.role is not None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def is_hidden(self) -> bool:
        """Whether the member has taken it out of their list, and nothing was said since."""
        return self.is_member and self.hidden_seq >= self.last_seq

    @property
    def is_creator(self) -> bool:
        return self.creator == self.user and self.is_member

    def require_member(self) -> Access:
        """Raises Forbidden `not_a_member` for who stands outside (a public one: a private one was not found)."""
        if not self.is_member:
            raise Forbidden("not_a_member", "Only members may do this.")
        return self

    def require_group(self) -> Access:
        """Raises Conflict `direct` on a direct conversation, which is two people's, always."""
        if self.kind == "direct":
            raise Conflict("direct", "A direct conversation is two people's, always.")
        return self

    def require_admin(self) -> Access:
        """Raises Forbidden `admins_only` for members without the role."""
        if not self.require_member().is_admin:
            raise Forbidden("admins_only", "Only admins of the conversation may do this.")
        return self


class MembershipKey(msgspec.Struct, frozen=True):
    """Who asks for which conversation, through which login session (None: not asked about)."""

    conversation: UUID
    user: UUID
    session: UUID | None = None


def no_conversation() -> NotFound:
    """The one answer for what does not exist, is deleted, or must not be known to exist."""
    return NotFound("not_found", "There is no such conversation.")


def live() -> ColumnElement[bool]:
    """Whether a user row may act: activated, not suspended, not closed."""
    return and_(User.is_active, User.suspended_at.is_(None), User.closed_at.is_(None))


_COLUMNS = (
    Conversation.id,
    Conversation.kind,
    Conversation.is_private,
    Conversation.creator_id,
    Conversation.last_seq,
    Conversation.position,
    Conversation.edited_position,
    Conversation.member_count,
    Membership.role,
    Membership.read_seq,
    Membership.joined_seq,
    Membership.joined_at,
    Membership.hidden_seq,
)
_ONE = (
    select(*_COLUMNS, User.id.is_not(None).label("live"))
    .select_from(Conversation)
    .outerjoin(
        Membership,
        and_(
            Membership.conversation_id == Conversation.id,
            Membership.user_id == bindparam("user", type_=Uuid()),
            still_in(),
        ),
    )
    .outerjoin(User, and_(User.id == bindparam("user", type_=Uuid()), live()))
    .where(Conversation.id == bindparam("conversation", type_=Uuid()), Conversation.deleted_at.is_(None))
)
_ASKED = (
    func.unnest(
        bindparam("conversations", type_=ARRAY(Uuid())),
        bindparam("users", type_=ARRAY(Uuid())),
        bindparam("sessions", type_=ARRAY(Uuid())),
    )
    .table_valued(
        column("conversation_id", Uuid()),
        column("user_id", Uuid()),
        column("session_id", Uuid()),
        with_ordinality="ordinal",
    )
    .render_derived(name="asked")
)
_MANY = (
    select(
        *_COLUMNS,
        and_(User.id.is_not(None), or_(_ASKED.c.session_id.is_(None), LoginSession.id.is_not(None))).label("live"),
    )
    .select_from(_ASKED)
    .outerjoin(User, and_(User.id == _ASKED.c.user_id, live()))
    .outerjoin(
        LoginSession,
        and_(
            LoginSession.id == _ASKED.c.session_id,
            LoginSession.user_id == _ASKED.c.user_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > func.clock_timestamp(),
        ),
    )
    .outerjoin(Conversation, and_(Conversation.id == _ASKED.c.conversation_id, Conversation.deleted_at.is_(None)))
    # Not by the conversation that was found: the key must follow from what is asked alone, or half of it may be used.
    .outerjoin(
        Membership,
        and_(
            Membership.conversation_id == _ASKED.c.conversation_id, Membership.user_id == _ASKED.c.user_id, still_in()
        ),
    )
    .order_by(_ASKED.c.ordinal)
)
_LOCK = (
    select(true())
    .select_from(Conversation)
    .where(Conversation.id == bindparam("conversation", type_=Uuid()))
    .with_for_update(key_share=True)
)
_IS_MEMBER = (
    select(Membership.user_id)
    .where(
        Membership.conversation_id == bindparam("conversation", type_=Uuid()),
        Membership.user_id == bindparam("user", type_=Uuid()),
        still_in(),
    )
    .exists()
)
# Outsiders neither wait for a private conversation nor keep others waiting: the time would tell that it exists.
_LOCK_KNOWN = _LOCK.where(or_(~Conversation.is_private, _IS_MEMBER))


def _as_access(row: AnyRow, user: UUID) -> Access:
    return Access(
        conversation=row.id,
        kind=row.kind,
        is_private=row.is_private,
        creator=row.creator_id,
        last_seq=row.last_seq,
        position=row.position,
        edited_position=row.edited_position,
        member_count=row.member_count,
        user=user,
        role=row.role,
        read_seq=row.read_seq or 0,
        joined_seq=row.joined_seq or 0,
        joined_at=row.joined_at,
        hidden_seq=-1 if row.hidden_seq is None else row.hidden_seq,
    )


def _judge(row: AnyRow | None, user: UUID, *, outsiders: bool) -> Access:
    """One place decides who may know what, whatever the statement that asked."""
    if row is None or row.id is None or (row.is_private and row.role is None):
        raise no_conversation()
    door = _as_access(row, user)
    return door if outsiders else door.require_member()


async def check_access(
    session: AsyncSession, conversation: UUID, user: UUID, *, allow_outsiders: bool = False
) -> Access:
    """The door for reading, in one statement.

    Raises:
        NotFound: it does not exist, is deleted, or is private and `user` is not in it.
        Forbidden: `not_a_member` of a public one, unless outsiders are allowed (their `role` is None).
    """
    rows = await session.execute(_ONE, {"conversation": conversation, "user": user})
    return _judge(rows.one_or_none(), user, outsiders=allow_outsiders)


async def check_access_many(reader: Reader, pairs: Sequence[MembershipKey]) -> list[Access | ChatError]:
    """Many doors for reading in one statement: for each pair, in order, the door or the error to raise for it.

    Errors: as `open_door`, and Unauthenticated when the account or the login session is over.
    """
    rows = await reader.execute(
        _MANY,
        {
            "conversations": [pair.conversation for pair in pairs],
            "users": [pair.user for pair in pairs],
            "sessions": [pair.session for pair in pairs],
        },
    )
    return [_answer(row, pair) for row, pair in zip(rows, pairs, strict=True)]


def _answer(row: AnyRow, pair: MembershipKey) -> Access | ChatError:
    if not row.live:
        return Unauthenticated()
    try:
        return _judge(row, pair.user, outsiders=False)
    except ChatError as error:
        return error


async def lock_for_change(
    session: AsyncSession, conversation: UUID, user: UUID, *, allow_outsiders: bool = False
) -> Access:
    """The door for changing: the conversation stays locked until the transaction ends, and what it says stays true.

    Lock several in the order of their ids. Not `FOR UPDATE`: that would make every insert of a membership wait.

    Raises: as `open_door`, and Unauthenticated when the account is over.
    """
    asked = {"conversation": conversation, "user": user}
    locked = await session.scalar(_LOCK_KNOWN, asked)
    row = (await session.execute(_ONE, asked)).one_or_none()
    if row is not None and not row.live:
        raise Unauthenticated
    # What became visible since the first statement is not locked: for that statement it did not exist, nor for us.
    return _judge(row if locked else None, user, outsiders=allow_outsiders)


async def lock(session: AsyncSession, conversation: UUID) -> None:
    """Take the row of the conversation, if there is one; what was read before may be out of date now."""
    await session.execute(_LOCK, {"conversation": conversation})
