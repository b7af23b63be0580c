"""Catching up: all rows of a conversation that changed after a position, in their current state, by position.

State, not history: a message edited five times appears once. One statement reads the rows and the counter, so the
result is complete up to the position it returns. A row only moves to higher positions, so paging misses no change.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Integer, Uuid, bindparam, literal_column, null, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.conversations.access import check_access
from app.domain.conversations.conversation_projection import (
    CONVERSATION_COLUMNS,
    as_facts,
    as_member,
    member_type,
    members,
)
from app.domain.conversations.models import Conversation, Membership
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.error_catalogue import conversation_not_found, negative_position, position_ahead
from app.domain.errors import Conflict, NotFound
from app.domain.messages.history import PAGE_BYTES
from app.domain.messages.message_projection import MESSAGE_COLUMNS, as_message, messages
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Change, ChangePage, Message
from app.domain.orm import AnyRow

_encode = msgspec.json.Encoder().encode

_CONVERSATION = bindparam("conversation", type_=Uuid())
_AFTER = bindparam("after", type_=BigInteger())
_LIMIT = bindparam("limit", type_=Integer())
_NO_SEQ = null().cast(BigInteger)
_NO_USER = null().cast(Uuid)

_MESSAGES = (
    select(MessageRow.position.label("position"), MessageRow.seq.label("seq"), _NO_USER.label("user_id"))
    .where(MessageRow.conversation_id == _CONVERSATION, MessageRow.position > _AFTER)
    .order_by(MessageRow.position)
    .limit(_LIMIT)
)
_MEMBERS = (
    select(Membership.position.label("position"), _NO_SEQ.label("seq"), Membership.user_id.label("user_id"))
    .where(Membership.conversation_id == _CONVERSATION, Membership.position > _AFTER)
    .where(Membership.position > literal_column("0"))  # true of every row: it makes the partial index usable
    .order_by(Membership.position)
    .limit(_LIMIT)
)
_ITSELF = select(Conversation.meta_position.label("position"), _NO_SEQ.label("seq"), _NO_USER.label("user_id")).where(
    Conversation.id == _CONVERSATION, Conversation.meta_position > _AFTER
)
_BRANCHES = [branch.subquery() for branch in (_MESSAGES, _MEMBERS, _ITSELF)]
_CHANGED = (
    union_all(*(select(branch) for branch in _BRANCHES))
    .order_by(literal_column("position"))
    .limit(_LIMIT)
    .subquery("changed")
)
# Without the limits the planner may hash all members or all messages. With them it looks each row up by key.
_MESSAGE = (
    messages()
    .add_columns(MessageRow.created_position.label("message_created_position"))
    .where(MessageRow.conversation_id == _CONVERSATION, MessageRow.seq == _CHANGED.c.seq)
    .limit(1)
    .correlate(_CHANGED)
    .lateral("message")
)
_MEMBER = (
    members()
    .where(Membership.conversation_id == _CONVERSATION, Membership.user_id == _CHANGED.c.user_id)
    .limit(1)
    .correlate(_CHANGED)
    .lateral("member")
)
# A conversation that exists returns at least one row, so the counter always comes with the result.
_CHANGES = (
    select(*_MESSAGE.c, *CONVERSATION_COLUMNS, _CHANGED.c.position.label("changed_position"), *_MEMBER.c)
    .select_from(Conversation)
    .outerjoin(_CHANGED, true())
    .outerjoin(_MESSAGE, true())
    .outerjoin(_MEMBER, true())
    .where(Conversation.id == _CONVERSATION)
    .order_by(_CHANGED.c.position)
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of one conversation after a position. If `complete` is false, continue from `position`."""

    items: list[events.LogChange]
    views: list[Message | Member | ConversationFacts]
    position: int
    complete: bool

    def page(self) -> ChangePage:
        """The REST view, with the same bytes as `data` in the frames."""
        return ChangePage(
            items=[Change(type=item.type, position=item.position, data=msgspec.Raw(item.data)) for item in self.items],
            position=self.position,
            complete=self.complete,
        )


async def changes_after(
    session: AsyncSession, conversation: UUID, after: int, limit: int = 50, *, most_bytes: int | None = None
) -> Changes:
    """At most `limit` changes with a position above `after`. The `prev` of each is the position of the one before.

    With `most_bytes`, only as many as fit into that many bytes of JSON, but at least one.

    A caller that acts for a user has checked access. A deleted conversation still returns its deletion.

    Raises:
        NotFound: the conversation never existed.
        Invalid: `after` is negative.
        Conflict: `reset`: `after` is beyond the log (a restored backup). The client must reload the conversation.
    """
    if after < 0:
        raise negative_position()
    rows = (await session.execute(_CHANGES, {"conversation": conversation, "after": after, "limit": limit + 1})).all()
    if not rows:
        raise conversation_not_found()
    current = rows[0].conversation_position
    if after > current:
        raise position_ahead()
    changed = [row for row in rows if row.changed_position is not None]
    items: list[events.LogChange] = []
    views: list[Message | Member | ConversationFacts] = []
    prev = after
    left = most_bytes
    for row in changed[:limit]:
        kind, view, subject = _read(row, after)
        data = _encode(view)
        if left is not None:
            if items and len(data) > left:
                break
            left -= len(data)
        views.append(view)
        items.append(
            events.LogChange(
                type=kind,
                conversation=conversation,
                position=row.changed_position,
                prev=prev,
                data=data,
                last_seq=row.conversation_last_seq,
                seq=view.seq if isinstance(view, Message) else 0,
                edited=row.conversation_edited_position,
                edited_before=row.conversation_edited_position,
                subject=subject,
            )
        )
        prev = row.changed_position
    complete = len(changed) == len(items)
    return Changes(items=items, views=views, position=current if complete else prev, complete=complete)


async def changes_for(
    session: AsyncSession, conversation: UUID, user: UUID, *, after: int, limit: int = 50
) -> ChangePage:
    """A REST page of changes for the member `user`.

    Raises: as `changes_after` and `check_access`.
    """
    await check_access(session, conversation, user)
    return (await changes_after(session, conversation, after, limit, most_bytes=PAGE_BYTES)).page()


async def changes_of_many(
    session: AsyncSession, positions: dict[UUID, int], limit_each: int
) -> dict[UUID, Changes | Conflict]:
    """`changes_after` for many conversations, for internal use: without an access check.

    Omits conversations that do not exist. A position beyond the log maps to its Conflict `reset`.
    """
    found: dict[UUID, Changes | Conflict] = {}
    for conversation, after in positions.items():
        try:
            found[conversation] = await changes_after(session, conversation, after, limit_each)
        except Conflict as reset:
            found[conversation] = reset
        except NotFound:
            continue
    return found


def _read(row: AnyRow, after: int) -> tuple[events.ChangeType, Message | Member | ConversationFacts, UUID | None]:
    """The event type of a changed row since `after`, its view, and the user a member change is about."""
    if row.message_id is not None:
        return _message_type(row, after), as_message(row[: len(MESSAGE_COLUMNS)]), None
    if row.member_user is not None:
        return member_type(row, after), as_member(row), row.member_user
    deleted = row.conversation_deleted_at is not None
    return "conversation.deleted" if deleted else "conversation.updated", as_facts(row), None


def _message_type(row: AnyRow, after: int) -> events.ChangeType:
    if row.message_created_position > after:
        return "message.created"
    return "message.deleted" if row.message_deleted_at is not None else "message.updated"
