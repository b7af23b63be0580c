"""The list of conversations: one statement, whatever the length of their histories.

Which conversations are on the page is found first; only they are joined with their last message, by its `seq`, which
is the conversation's `last_seq`. Unread is a subtraction. Who stands outside a public conversation sees no message.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, Uuid, and_, bindparam, func, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.domain.conversations.doors import no_conversation
from app.domain.conversations.facts import CONVERSATION_COLUMNS
from app.domain.conversations.models import Conversation, Membership
from app.domain.cursors import from_cursor, to_cursor
from app.domain.messages.models import MessageRow
from app.domain.messages.reading import MESSAGE_COLUMNS, SENDER, SENDER_COLUMNS, as_message
from app.domain.rows import AnyRow, contains
from app.domain.texts import clean
from app.domain.users.models import User
from app.domain.views import ConversationPage, ConversationSummary, Person

LONGEST_SEARCH = 200
BREATH = 250
"""So many rows at once: five thousand would keep this process's other sockets waiting for a tenth of a second."""

PEERSHIP = aliased(Membership, name="peership")


class InboxPosition(msgspec.Struct, frozen=True, tag="inbox"):
    """Where a page of one's own list ended."""

    updated_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


class DiscoverPosition(msgspec.Struct, frozen=True, tag="discover"):
    """Where a page of public conversations ended: newest first, and an id never moves."""

    id: UUID


_USER = bindparam("user", type_=Uuid())
_MINE = and_(Membership.conversation_id == Conversation.id, Membership.user_id == _USER, Membership.left_at.is_(None))
# The limits keep the planner from hashing whole tables for it: one look by key for each conversation.
_PEER = (
    select(
        User.id.label("peer_id"),
        User.first_name.label("peer_first_name"),
        User.last_name.label("peer_last_name"),
    )
    .join(PEERSHIP, PEERSHIP.user_id == User.id)
    .where(
        Conversation.kind == "direct",
        PEERSHIP.conversation_id == Conversation.id,
        PEERSHIP.user_id != _USER,
        Membership.role.is_not(None),  # who is neither of the two has no peer
    )
    .limit(1)
    .correlate(Conversation, Membership)
    .lateral("peer")
)
_CUT_TEXT = func.coalesce(func.left(MessageRow.text, bindparam("cut", type_=Integer())), MessageRow.text)
_LAST = (
    select(
        *(column for column in MESSAGE_COLUMNS if column.key != "message_text"),
        func.coalesce(func.left(MessageRow.text, bindparam("cut", type_=Integer())), MessageRow.text).label(
            "message_text"
        ),
    )
    .where(
        MessageRow.conversation_id == Conversation.id,
        MessageRow.seq == Conversation.last_seq,
        Membership.role.is_not(None),
    )
    .limit(1)
    .correlate(Conversation, Membership)
    .lateral("last_message")
)


def _summaries(which: Select[UUID]) -> Select[*tuple[object, ...]]:
    """The summaries of the conversations whose ids `which` selects."""
    keys = which.subquery("listed")
    return (
        select(
            *CONVERSATION_COLUMNS,
            Membership.role.label("my_role"),
            Membership.read_seq.label("my_read_seq"),
            *_PEER.c,
            *_LAST.c,
            *SENDER_COLUMNS,
        )
        .select_from(keys)
        .join(Conversation, Conversation.id == keys.c.id)
        .outerjoin(Membership, _MINE)
        .outerjoin(_LAST, true())
        .outerjoin(SENDER, SENDER.id == _LAST.c.message_sender)
        .outerjoin(_PEER, true())
    )


_LATEST_FIRST = (Conversation.updated_at.desc(), Conversation.id.desc())
_MY_KEYS = (
    select(Conversation.id).select_from(Membership).join(Conversation, _MINE).where(Conversation.deleted_at.is_(None))
)
_ALL = _summaries(_MY_KEYS).order_by(*_LATEST_FIRST)
_ONE = _summaries(
    select(Conversation.id).where(
        Conversation.id == bindparam("conversation", type_=Uuid()), Conversation.deleted_at.is_(None)
    )
)


def summary_fields(row: AnyRow) -> dict[str, Any]:
    """What a row of these statements says of a conversation, by the names of `ConversationSummary`."""
    read_seq = row.my_read_seq if row.my_role else row.conversation_last_seq
    peer = None
    if row.peer_id is not None:
        peer = Person(id=row.peer_id, first_name=row.peer_first_name, last_name=row.peer_last_name)
    return {
        "id": row.conversation_id,
        "kind": row.conversation_kind,
        "name": row.conversation_name,
        "is_private": row.conversation_is_private,
        "creator": row.conversation_creator_id,
        "peer": peer,
        "role": row.my_role,
        "unread": row.conversation_last_seq - read_seq,
        "last_seq": row.conversation_last_seq,
        "read_seq": row.my_read_seq or 0,
        "position": row.conversation_position,
        "last_message": as_message(row) if row.message_id is not None else None,
        "updated_at": row.conversation_updated_at,
    }


def as_summary(row: AnyRow) -> ConversationSummary:
    return ConversationSummary(**summary_fields(row))


async def all_summaries(session: AsyncSession, user: UUID, *, cut: int | None = None) -> list[ConversationSummary]:
    """Everything `user` is in, latest activity first, in one statement and so of one moment (at most 5,000).

    `cut`: the texts of last messages are cut to so many characters.
    """
    rows = (await session.execute(_ALL, {"user": user, "cut": cut})).all()
    found: list[ConversationSummary] = []
    for start in range(0, len(rows), BREATH):
        found += [as_summary(row) for row in rows[start : start + BREATH]]
        await asyncio.sleep(0)
    return found


async def summary(
    session: AsyncSession, conversation: UUID, user: UUID, *, cut: int | None = None
) -> ConversationSummary:
    """One line of the list, as all_summaries would give it.

    Raises:
        NotFound: there is no such conversation, or it is private and `user` is not in it.
    """
    return as_summary(await summary_row(session, conversation, user, cut=cut))


async def summary_row(session: AsyncSession, conversation: UUID, user: UUID, *, cut: int | None = None) -> AnyRow:
    """The row behind `summary`, for `summary_fields`; raises as it."""
    rows = await session.execute(_ONE, {"conversation": conversation, "user": user, "cut": cut})
    row = rows.one_or_none()
    if row is None or (row.conversation_is_private and row.my_role is None):
        raise no_conversation()
    return row


async def inbox(
    session: AsyncSession, user: UUID, *, search: str | None = None, cursor: str | None = None, limit: int = 50
) -> ConversationPage:
    """A page of one's own conversations, latest activity first.

    `search` is part of the name, or of the other person's in a direct one, without case.

    Raises:
        Invalid: the cursor is not of this list, or `search` is no text.
    """
    keys = _MY_KEYS.order_by(*_LATEST_FIRST).limit(limit + 1)
    if search:
        full_name = _PEER.c.peer_first_name + " " + _PEER.c.peer_last_name
        keys = keys.outerjoin(_PEER, true())
        keys = keys.where(or_(_part_of(Conversation.name, search), _part_of(full_name, search)))
    after = from_cursor(cursor, InboxPosition)
    if after is not None:
        keys = keys.where(tuple_(Conversation.updated_at, Conversation.id) < tuple_(after.updated_at, after.id))
    found = (await session.execute(_summaries(keys).order_by(*_LATEST_FIRST), {"user": user, "cut": None})).all()
    items = [as_summary(row) for row in found[:limit]]
    following = to_cursor(InboxPosition(items[-1].updated_at, items[-1].id)) if len(found) > limit else None
    return ConversationPage(items=items, next=following)


async def discover(
    session: AsyncSession, user: UUID, *, search: str | None = None, cursor: str | None = None, limit: int = 50
) -> ConversationPage:
    """A page of public conversations `user` is not in, newest first.

    Raises:
        Invalid: the cursor is not of this list, or `search` is no text.
    """
    mine = select(Membership.user_id).where(_MINE).correlate(Conversation).exists()
    keys = (
        select(Conversation.id)
        .where(~Conversation.is_private, Conversation.deleted_at.is_(None), ~mine)
        .order_by(Conversation.id.desc())
        .limit(limit + 1)
    )
    if search:
        keys = keys.where(_part_of(Conversation.name, search))
    after = from_cursor(cursor, DiscoverPosition)
    if after is not None:
        keys = keys.where(Conversation.id < after.id)
    statement = _summaries(keys).order_by(Conversation.id.desc())
    found = (await session.execute(statement, {"user": user, "cut": None})).all()
    items = [as_summary(row) for row in found[:limit]]
    following = to_cursor(DiscoverPosition(items[-1].id)) if len(found) > limit else None
    return ConversationPage(items=items, next=following)


def _part_of(text: ColumnElement[str] | InstrumentedAttribute[str], search: str) -> ColumnElement[bool]:
    return contains(text, clean(search, "search", LONGEST_SEARCH, least=0))
