"""Turns rows of conversations and memberships into views. Labels keep the columns distinct in any statement.

A conversation shows a member under the current name of the account, and a former member under the name on leaving. A
later change of the name thus writes nothing into it. Closing the account erases the name on leaving too.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    FromClause,
    Integer,
    Select,
    SQLColumnExpression,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.conversations.models import Conversation, Membership
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.events import ChangeType
from app.domain.orm import AnyRow
from app.domain.users.models import User
from app.domain.users.schemas import Person

CONVERSATION_COLUMNS = tuple(
    column.label(f"conversation_{column.key}")
    for column in (
        Conversation.id,
        Conversation.kind,
        Conversation.name,
        Conversation.is_private,
        Conversation.created_by,
        Conversation.creator_id,
        Conversation.created_at,
        Conversation.updated_at,
        Conversation.deleted_at,
        Conversation.last_seq,
        Conversation.position,
        Conversation.meta_position,
        Conversation.edited_position,
        Conversation.member_count,
    )
)

_LEFT_FIRST_NAME = case((Membership.ended.is_not(None), Membership.left_first_name))
_LEFT_LAST_NAME = case((Membership.ended.is_not(None), Membership.left_last_name))
"""Null for current members. The condition on `ended` counts: release 1.0.0, which may run beside this version, begins a
membership again without clearing the names."""


def left_names(conversation: SQLColumnExpression[UUID], user: SQLColumnExpression[UUID], name: str) -> FromClause:
    """The names of one former member as a subquery `name`, to be outer joined on true. It is empty for current members.

    With the limit the planner looks one row up by key, in an index that has former members only.
    """
    former = aliased(Membership, name=f"{name}_membership")
    return (
        select(former.left_first_name.label("first_name"), former.left_last_name.label("last_name"))
        .where(
            former.user_id == user,
            former.conversation_id == conversation,
            former.left_first_name.is_not(None),
            former.ended.is_not(None),
        )
        .limit(literal_column("1", Integer()))
        .correlate_except(former)
        .lateral(name)
    )


PERSON = aliased(User, name="person")
CHANGER = aliased(User, name="changer")
_CHANGER_ON_LEAVING = left_names(Membership.conversation_id, CHANGER.id, "changer_on_leaving")
MEMBER_COLUMNS = (
    Membership.user_id.label("member_user"),
    Membership.role.label("member_role"),
    Membership.joined_at.label("member_joined_at"),
    Membership.left_at.label("member_left_at"),
    Membership.ended.label("member_ended"),
    Membership.read_seq.label("member_read_seq"),
    Membership.joined_seq.label("member_joined_seq"),
    Membership.created_position.label("member_created_position"),
    Membership.position.label("member_position"),
    Membership.was_added.label("member_was_added"),
    func.coalesce(_LEFT_FIRST_NAME, PERSON.first_name).label("person_first_name"),
    func.coalesce(_LEFT_LAST_NAME, PERSON.last_name).label("person_last_name"),
    CHANGER.id.label("changer_id"),
    func.coalesce(_CHANGER_ON_LEAVING.c.first_name, CHANGER.first_name).label("changer_first_name"),
    func.coalesce(_CHANGER_ON_LEAVING.c.last_name, CHANGER.last_name).label("changer_last_name"),
)
IS_PERSON = PERSON.id == Membership.user_id
IS_CHANGER = and_(CHANGER.id == Membership.changed_by, CHANGER.id != Membership.user_id)
"""`by` is set only when another person made the change."""


def members() -> Select[*tuple[object, ...]]:
    """All memberships, current and ended, with their users. Callers add conditions."""
    return (
        select(*MEMBER_COLUMNS)
        .select_from(Membership)
        .join(PERSON, IS_PERSON)
        .outerjoin(CHANGER, IS_CHANGER)
        .outerjoin(_CHANGER_ON_LEAVING, true())
    )


_MEMBER = members().where(
    Membership.conversation_id == bindparam("conversation", type_=Uuid()),
    Membership.user_id == bindparam("user", type_=Uuid()),
)
_FACTS = select(*CONVERSATION_COLUMNS).where(Conversation.id == bindparam("conversation", type_=Uuid()))


def as_facts(row: AnyRow) -> ConversationFacts:
    """The view of `CONVERSATION_COLUMNS`."""
    return ConversationFacts(
        id=row.conversation_id,
        kind=row.conversation_kind,
        name=row.conversation_name,
        is_private=row.conversation_is_private,
        created_by=row.conversation_created_by,
        creator=row.conversation_creator_id,
        created_at=row.conversation_created_at,
        updated_at=row.conversation_updated_at,
        deleted_at=row.conversation_deleted_at,
    )


def as_member(row: AnyRow) -> Member:
    """The view of `MEMBER_COLUMNS`."""
    changer = None
    if row.changer_id is not None:
        changer = Person(id=row.changer_id, first_name=row.changer_first_name, last_name=row.changer_last_name)
    return Member(
        user=Person(id=row.member_user, first_name=row.person_first_name, last_name=row.person_last_name),
        role=row.member_role,
        joined_at=row.member_joined_at,
        left_at=row.member_left_at,
        read_seq=row.member_read_seq,
        by=changer,
    )


def member_type(row: AnyRow, after: int) -> ChangeType:
    """The event type of a membership row (`MEMBER_COLUMNS`) for a reader whose state is at position `after`."""
    if row.member_left_at is not None:
        return "member.removed" if row.member_ended == "removed" else "member.left"
    if row.member_created_position > after:
        return "member.added" if row.member_was_added else "member.joined"
    return "member.updated"


async def facts_of(session: AsyncSession, conversation: UUID) -> ConversationFacts:
    """The current conversation, deleted or not. It must exist."""
    return as_facts((await session.execute(_FACTS, {"conversation": conversation})).one())


async def member_of(session: AsyncSession, conversation: UUID, user: UUID) -> AnyRow | None:
    """The membership row (`MEMBER_COLUMNS`), current or ended, or None if there is none."""
    return (await session.execute(_MEMBER, {"conversation": conversation, "user": user})).one_or_none()
