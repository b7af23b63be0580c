"""Pages of the log. `seq` has no gaps, so arithmetic gives the seqs of a page, and one range scan reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation
from app.domain.error_catalogue import invalid_limit, invalid_page, page_out_of_range
from app.domain.messages.message_projection import as_message, messages
from app.domain.messages.models import MessageRow
from app.domain.orm import Reader
from app.domain.size_limits import MAX_PAGE_SIZE

DEFAULT_PAGE_SIZE = 50
PAGE_BYTES = 1024 * 1024
"""Limit of a page's messages as JSON. 500 of the longest would be 24 MB, held in memory until the client has read them.
The cache keeps half of this limit for each conversation."""

_encode = msgspec.json.Encoder().encode

EncodedMessage = tuple[int, int, bytes]
"""(seq, position, the message as JSON)"""


class PageQuery(msgspec.Struct, frozen=True):
    """The page to read: the newest, or the one `before`, `after` or `around` a seq (at most one of them)."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    limit: int = DEFAULT_PAGE_SIZE


class SeqRange(msgspec.Struct, frozen=True):
    """The seqs of a page, `low … high` inclusive (empty when high < low), and whether more follow in its direction.

    `anchor` is the seq the page starts from. It stays when not all messages fit into `PAGE_BYTES`.
    """

    low: int
    high: int
    has_more: bool
    anchor: int | None = None


def span_of(query: PageQuery, last_seq: int) -> SeqRange:
    """Returns the seqs of the page `query` in a log of `last_seq` messages.

    Raises:
        Invalid: two directions at once, a seq below the minimum, or a limit outside 1 … 500.
    """
    if not 1 <= query.limit <= MAX_PAGE_SIZE:
        raise invalid_limit()
    if sum(seq is not None for seq in (query.before, query.after, query.around)) > 1:
        raise invalid_page()
    for field, seq, least in (("before", query.before, 1), ("after", query.after, 0), ("around", query.around, 1)):
        if seq is not None and seq < least:
            raise page_out_of_range((field, f"Must be at least {least}."))
    if query.after is not None:
        low = query.after + 1
        high = min(low + query.limit - 1, last_seq)
        return SeqRange(low, high, has_more=high < last_seq and low <= last_seq, anchor=low)
    if query.around is not None:
        low = max(min(query.around, last_seq) - query.limit // 2, 1)
        high = min(low + query.limit - 1, last_seq)
        low = max(high - query.limit + 1, 1)
        return SeqRange(low, high, has_more=low > 1 or high < last_seq, anchor=query.around)
    high = last_seq if query.before is None else min(query.before - 1, last_seq)
    low = max(high - query.limit + 1, 1)
    return SeqRange(low, high, has_more=low > 1 and high >= 1)


async def read_span(reader: Reader, conversation: UUID, span: SeqRange) -> list[EncodedMessage]:
    """The messages of `span`, ascending: all, or the anchor and as many around it as fit into `PAGE_BYTES`."""
    query = messages().where(MessageRow.conversation_id == conversation, MessageRow.seq.between(span.low, span.high))
    if span.high - span.low >= DEFAULT_PAGE_SIZE:
        query = query.where(MessageRow.seq.in_(_fitting(conversation, span)))
    rows = await reader.execute(query.order_by(MessageRow.seq))
    return fitted([_entry(row) for row in rows], _anchor(span))


def fitted(entries: list[EncodedMessage], anchor: int) -> list[EncodedMessage]:
    """The entries around the seq `anchor` whose JSON fits into `PAGE_BYTES`. The anchor stays whatever its size."""
    sizes = [len(data) for _, _, data in entries]
    left = PAGE_BYTES - sum(sizes)
    if left >= 0 or not entries:
        return entries
    low = high = min(max(anchor - entries[0][0], 0), len(entries) - 1)
    left = PAGE_BYTES - sizes[low]
    grows = True
    while grows:
        grows = False
        if high + 1 < len(sizes) and sizes[high + 1] <= left:
            high, left, grows = high + 1, left - sizes[high + 1], True
        if low > 0 and sizes[low - 1] <= left:
            low, left, grows = low - 1, left - sizes[low - 1], True
    return entries[low : high + 1]


def _fitting(conversation: UUID, span: SeqRange) -> Select[tuple[int]]:
    """Selects the seqs that could fit by the length of their texts alone, so that the others are not read."""
    length = func.octet_length(func.coalesce(MessageRow.text, ""))
    sized = (
        select(
            MessageRow.seq.label("seq"),
            func.sum(length).over(order_by=func.abs(MessageRow.seq - _anchor(span))).label("bytes"),
        )
        .where(MessageRow.conversation_id == conversation, MessageRow.seq.between(span.low, span.high))
        .subquery()
    )
    return select(sized.c.seq).where(or_(sized.c.bytes <= PAGE_BYTES, sized.c.seq == _anchor(span)))


def _anchor(span: SeqRange) -> int:
    return span.high if span.anchor is None else min(max(span.anchor, span.low), span.high)


async def newest(session: AsyncSession, conversation: UUID, count: int) -> tuple[int, list[EncodedMessage]]:
    """(`edited_position`, the newest `count` messages ascending), from one statement and so one snapshot."""
    rows = (
        await session.execute(
            messages()
            .add_columns(Conversation.edited_position)
            .join(Conversation, Conversation.id == MessageRow.conversation_id)
            .where(Conversation.id == conversation, MessageRow.seq > Conversation.last_seq - count)
            .order_by(MessageRow.seq)
        )
    ).all()
    return (rows[0].edited_position if rows else 0), [_entry(row[:-1]) for row in rows]


def assemble(messages: bytes, position: int, *, has_more: bool) -> bytes:
    """Builds a `MessagePage` from the JSON of its messages, joined by commas, without decoding."""
    tail = b"true" if has_more else b"false"
    return b'{"items":[%b],"position":%d,"has_more":%b}' % (messages, position, tail)


def _entry(values: Iterable[Any]) -> EncodedMessage:
    message = as_message(values)
    return message.seq, message.position, _encode(message)
