"""Access to a conversation: the membership decides, with the same rules for REST, sockets and tasks.

An outsider receives the same error for a private conversation as for one that does not exist. Every change calls
`lock_for_change`, which locks the conversation's row first and reads on a fresh snapshot afterwards. A statement that
locks and reads at once sees the state before its wait (for example, a member added just after her removal).
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
from app.domain.error_catalogue import (
    admins_only,
    conversation_not_found,
    members_only,
    not_authenticated,
    not_in_directs,
)
from app.domain.errors import ChatError
from app.domain.orm import AnyRow, Reader
from app.domain.users.models import LoginSession, User


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of a conversation and the caller's membership. `role` is None for an outsider."""

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
        """Whether the member has hidden the conversation and no message has been sent since."""
        return self.is_member and self.hidden_seq >= self.last_seq

    @property
    def is_creator(self) -> bool:
        return self.creator == self.user and self.is_member

    def require_member(self) -> Access:
        """Raises Forbidden `not_a_member` for an outsider (of a public conversation: a private one is NotFound)."""
        if not self.is_member:
            raise members_only()
        return self

    def require_group(self) -> Access:
        """Raises Conflict `direct` on a direct conversation, whose two members never change."""
        if self.kind == "direct":
            raise not_in_directs()
        return self

    def require_admin(self) -> Access:
        """Raises Forbidden `admins_only` for a member who is no admin, `not_a_member` for an outsider."""
        if not self.require_member().is_admin:
            raise admins_only()
        return self


class MembershipKey(msgspec.Struct, frozen=True):
    """A conversation, a user, and the login session to check (None: the session is not checked)."""

    conversation: UUID
    user: UUID
    session: UUID | None = None


def is_live() -> ColumnElement[bool]:
    """Whether the account is live: activated, not suspended, not closed."""
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
_SINGLE = (
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
    .outerjoin(User, and_(User.id == bindparam("user", type_=Uuid()), is_live()))
    .where(Conversation.id == bindparam("conversation", type_=Uuid()), Conversation.deleted_at.is_(None))
)
_REQUESTED = (
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
        and_(User.id.is_not(None), or_(_REQUESTED.c.session_id.is_(None), LoginSession.id.is_not(None))).label("live"),
    )
    .select_from(_REQUESTED)
    .outerjoin(User, and_(User.id == _REQUESTED.c.user_id, is_live()))
    .outerjoin(
        LoginSession,
        and_(
            LoginSession.id == _REQUESTED.c.session_id,
            LoginSession.user_id == _REQUESTED.c.user_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > func.clock_timestamp(),
        ),
    )
    .outerjoin(Conversation, and_(Conversation.id == _REQUESTED.c.conversation_id, Conversation.deleted_at.is_(None)))
    # Join on the request, not on `Conversation.id`: otherwise the planner may use only half of the primary key.
    .outerjoin(
        Membership,
        and_(
            Membership.conversation_id == _REQUESTED.c.conversation_id,
            Membership.user_id == _REQUESTED.c.user_id,
            still_in(),
        ),
    )
    .order_by(_REQUESTED.c.ordinal)
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
# An outsider neither waits for a private conversation's lock nor holds it: the timing would reveal that it exists.
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


def _require_visible(row: AnyRow | None, user: UUID, *, outsiders: bool) -> Access:
    """Decides what the caller may learn, for every statement in this module."""
    if row is None or row.id is None or (row.is_private and row.role is None):
        raise conversation_not_found()
    access = _as_access(row, user)
    return access if outsiders else access.require_member()


async def check_access(
    session: AsyncSession, conversation: UUID, user: UUID, *, allow_outsiders: bool = False
) -> Access:
    """Checks read access in one statement.

    Raises:
        NotFound: the conversation does not exist, is deleted, or is private and `user` is not a member.
        Forbidden: `not_a_member` of a public one, unless outsiders are allowed (their `role` is None).
    """
    rows = await session.execute(_SINGLE, {"conversation": conversation, "user": user})
    return _require_visible(rows.one_or_none(), user, outsiders=allow_outsiders)


async def check_access_many(reader: Reader, pairs: Sequence[MembershipKey]) -> list[Access | ChatError]:
    """Checks read access for many keys in one statement. Returns the access or the error for each key, in order.

    Errors: as `check_access`, and Unauthenticated when the account is not live or the login session has ended.
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
        return not_authenticated()
    try:
        return _require_visible(row, pair.user, outsiders=False)
    except ChatError as error:
        return error


async def lock_for_change(
    session: AsyncSession, conversation: UUID, user: UUID, *, allow_outsiders: bool = False
) -> Access:
    """Locks the conversation until the transaction ends and checks access; the result stays true for that time.

    Lock several conversations in id order. The lock is not `FOR UPDATE`, which would block every membership insert.

    Raises: as `check_access`, and Unauthenticated when the account is not live.
    """
    parameters = {"conversation": conversation, "user": user}
    locked = await session.scalar(_LOCK_KNOWN, parameters)
    row = (await session.execute(_SINGLE, parameters)).one_or_none()
    if row is not None and not row.live:
        raise not_authenticated()
    # A conversation that became visible after the first statement is not locked, so treat it as not found.
    return _require_visible(row if locked else None, user, outsiders=allow_outsiders)


async def lock(session: AsyncSession, conversation: UUID) -> None:
    """Locks the conversation's row, if it exists. Anything read earlier may be stale."""
    await session.execute(_LOCK, {"conversation": conversation})
