"""Pages of conversations, each read in one statement whose cost does not depend on the length of the histories.

A statement first finds the conversations of the page, then joins only those with their last message by its `seq`,
which is the conversation's `last_seq`. Statements are built once, because building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import DateTime, Integer, Select, String, Uuid, and_, bindparam, or_, select, true, tuple_

from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import conversation_not_found
from app.domain.inbox.schemas import ConversationPage, ConversationSummary
from app.domain.inbox.summary import LATEST_FIRST, as_summary, peer_of, with_lines
from app.domain.orm import AnyRow, Reader, containing, like, matching
from app.domain.validation import clean_search

MAX_SEARCH_LENGTH = 200


class _ActivityKey(msgspec.Struct, frozen=True):
    """The key of a user's own list."""

    updated_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


_OWN = Keyset("inbox", _ActivityKey)
_OTHERS = Keyset("discover", IdKey)
"""Public conversations, newest first by id, which never changes."""

_USER = bindparam("user", type_=Uuid())
_PATTERN = bindparam("pattern", type_=String())
_AFTER_ID = bindparam("after_id", type_=Uuid())
_AFTER_TIME = bindparam("after_time", type_=DateTime(timezone=True))
_MOST = bindparam("most", type_=Integer())

_MINE = and_(Membership.conversation_id == Conversation.id, Membership.user_id == _USER, Membership.left_at.is_(None))
_NEWEST_FIRST = Conversation.id.desc()

Statement = Select[*tuple[Any, ...]]


def _lines(which: Select[UUID], *more: Any) -> Statement:
    """Selects `more`, then the summaries of the conversations whose ids `which` selects."""
    keys = which.subquery("listed")
    found = (
        select(*more).select_from(keys).join(Conversation, Conversation.id == keys.c.id).outerjoin(Membership, _MINE)
    )
    return with_lines(found, _USER, Membership.role, Membership.read_seq)


def _mine(searched: bool, continued: bool) -> Statement:
    keys = (
        select(Conversation.id)
        .select_from(Membership)
        .join(Conversation, _MINE)
        .where(Conversation.deleted_at.is_(None), is_listed())
        .order_by(*LATEST_FIRST)
        .limit(_MOST)
    )
    if searched:
        peer = peer_of(_USER, Membership.role)
        name = peer.c.first_name + " " + peer.c.last_name
        keys = keys.outerjoin(peer, true()).where(or_(like(Conversation.name, _PATTERN), like(name, _PATTERN)))
    if continued:
        keys = keys.where(tuple_(Conversation.updated_at, Conversation.id) < tuple_(_AFTER_TIME, _AFTER_ID))
    return _lines(keys).order_by(*LATEST_FIRST)


def _public(searched: bool, continued: bool) -> Statement:
    mine = select(Membership.user_id).where(_MINE).correlate(Conversation).exists()
    keys = select(Conversation.id).where(~Conversation.is_private, Conversation.deleted_at.is_(None), ~mine)
    if continued:
        keys = keys.where(Conversation.id < _AFTER_ID)
    if searched:
        # Find first, sort afterwards: otherwise the planner may scan all public conversations in id order.
        found = keys.where(like(Conversation.name, _PATTERN)).cte("found", nesting=True).prefix_with("MATERIALIZED")
        return _lines(select(found.c.id).order_by(found.c.id.desc()).limit(_MOST)).order_by(_NEWEST_FIRST)
    return _lines(keys.order_by(_NEWEST_FIRST).limit(_MOST)).order_by(_NEWEST_FIRST)


def _variants(build: Callable[[bool, bool], Statement]) -> dict[tuple[bool, bool], Statement]:
    """Builds one statement for each pair (has a search, continues from a cursor)."""
    either = (False, True)
    return {(searched, continued): build(searched, continued) for searched in either for continued in either}


_INBOX = _variants(_mine)
_DISCOVER = _variants(_public)
_FACTS = (Conversation.created_by, Conversation.created_at, Conversation.member_count, Membership.hidden_seq)
_ONE = _lines(
    select(Conversation.id).where(
        Conversation.id == bindparam("conversation", type_=Uuid()), Conversation.deleted_at.is_(None)
    ),
    *_FACTS,
)


async def summary(reader: Reader, conversation: UUID, user: UUID) -> ConversationSummary:
    """The summary of one conversation, as in `inbox` or `discover`.

    Raises:
        NotFound: the conversation does not exist, or is private and `user` is not a member.
    """
    return (await opened(reader, conversation, user))[0]


async def opened(reader: Reader, conversation: UUID, user: UUID) -> tuple[ConversationSummary, AnyRow]:
    """As `summary`, with a row that holds the conversation's `created_by`, `created_at` and `member_count`, and the
    member's `hidden_seq`."""
    row = (await reader.execute(_ONE, {"conversation": conversation, "user": user})).one_or_none()
    line = None if row is None else as_summary(row[len(_FACTS) :])
    if row is None or line is None or (line.is_private and line.role is None):
        raise conversation_not_found()
    return line, row


async def inbox(
    reader: Reader, user: UUID, *, search: str | None = None, cursor: str | None = None, limit: int = 50
) -> ConversationPage:
    """A page of the user's own conversations, latest activity first.

    `search` matches part of the name, or of the peer's name in a direct conversation, case-insensitively.

    Raises:
        Invalid: the cursor belongs to another list, or `search` is not a valid text.
    """
    parameters: dict[str, object] = {"user": user, "most": limit + 1}
    if search:
        parameters["pattern"] = containing(_search_parameters(search))
    after = _OWN.key(cursor)
    if after is not None:
        parameters |= {"after_time": after.updated_at, "after_id": after.id}
    found = await reader.execute(_INBOX[bool(search), after is not None], parameters)
    return page_of([as_summary(row) for row in found], limit)


def page_of(lines: list[ConversationSummary], limit: int) -> ConversationPage:
    """A page of the first `limit` lines. Callers read one more line, which shows whether another page follows."""
    shown, following = _OWN.page(lines, limit, lambda line: _ActivityKey(line.updated_at, line.id))
    return ConversationPage(items=list(shown), next=following)


async def discover(
    reader: Reader, user: UUID, *, search: str | None = None, cursor: str | None = None, limit: int = 50
) -> ConversationPage:
    """A page of public conversations without `user`, newest first. `search` matches the name (`orm.matching`).

    Raises:
        Invalid: the cursor belongs to another list, or `search` is not a valid text.
    """
    parameters: dict[str, object] = {"user": user, "most": limit + 1}
    if search:
        parameters["pattern"] = matching(_search_parameters(search))
    after = _OTHERS.key(cursor)
    if after is not None:
        parameters["after_id"] = after.id
    found = await reader.execute(_DISCOVER[bool(search), after is not None], parameters)
    shown, following = _OTHERS.page([as_summary(row) for row in found], limit, lambda line: IdKey(line.id))
    return ConversationPage(items=list(shown), next=following)


def _search_parameters(search: str) -> str:
    return clean_search(search, MAX_SEARCH_LENGTH, 0)
