"""Traces one message: where it stands in its log, who has read it, and what was decided about notifying each member.

A trace contains no text, and is recorded in the audit log. It is bounded for a conversation of any size: counts, and
one page of members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, cast, column, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.conversations.models import Conversation, Membership
from app.domain.cursors import Keyset, UserKey
from app.domain.error_catalogue import message_not_traced, trace_needs_conversation
from app.domain.messages.message_projection import SENDER, SENDER_FIRST_NAME, SENDER_LAST_NAME, with_sender
from app.domain.messages.models import MessageRow
from app.domain.notifications.models import NotificationDecisionRow, Subscription
from app.domain.notifications.schemas import NotificationDecision
from app.domain.operators.schemas import CachedState, MessageTrace, TraceRecipient, TraceRecipientPage
from app.domain.orm import BUCKET_SECONDS, AnyRow
from app.domain.users.models import User
from app.domain.users.schemas import Person

BATCH_SIZE: Final = 1_000
MAX_SEARCHED: Final = 50_000
"""Conversations that one search reads at most, each by its key."""

CLOCK_MARGIN: Final = timedelta(hours=1)
"""An id holds the time of the process that made it, a bucket that of Postgres."""

MAX_DECISIONS: Final = 1_000
"""Decisions about one message that a page shows: with a page of 100 members, ten for each."""

_MEMBERS: Final = Keyset("trace", UserKey)


class Place(MessageTrace, frozen=True, kw_only=True):
    """A trace before the cache has answered. `edited_position` is the conversation's."""

    edited_position: int
    cached: CachedState = "away"

    def with_cached(self, cached: CachedState) -> MessageTrace:
        facts = {name: getattr(self, name) for name in MessageTrace.__struct_fields__}
        return MessageTrace(**facts | {"cached": cached})


async def trace(
    session: AsyncSession, by: UUID | None, message: UUID, *, conversation: UUID | None, limit: int, cursor: str | None
) -> Place:
    """Returns the trace with a page of the members who joined before the message, in the order of their ids. `by` is
    None for the command line.

    No index begins with a message's id (see docs/schema.md). Without `conversation` the message is looked up in the
    conversations that were active at its time or since, at most MAX_SEARCHED.

    Raises:
        NotFound: there is no such message.
        Invalid: `trace_needs_conversation` if there are too many conversations, or the cursor is another list's.
    """
    after = _MEMBERS.key(cursor)
    row = await _find(session, message, [conversation]) if conversation else await _search(session, message)
    if row is None:
        raise message_not_traced()
    seq = row.message_seq
    counts = await _counts(session, row.message_conversation, seq, row.sender_id)
    members = await _members(
        session, row.message_conversation, seq, row.sender_id, after=after.user if after else None, limit=limit
    )
    await log.record_action(
        session,
        by=by,
        action="message.traced",
        subject=message,
        details={"conversation": str(row.message_conversation)},
    )
    return Place(
        id=message,
        conversation=row.message_conversation,
        kind=row.kind,
        message_type=row.message_type,
        sent_by=Person(id=row.sender_id, first_name=row.sender_first_name, last_name=row.sender_last_name),
        seq=seq,
        created_position=row.created_position,
        position=row.message_position,
        sent_at=row.message_sent_at,
        updated_at=row.message_updated_at,
        deleted_at=row.message_deleted_at,
        published="not_recorded",
        recipients=counts.recipients,
        readers=counts.readers,
        undecided=counts.undecided,
        members=members,
        edited_position=row.edited_position,
    )


async def _search(session: AsyncSession, message: UUID) -> AnyRow | None:
    if message.version != 7:
        return None
    sent = datetime.fromtimestamp((message.int >> 80) / 1000, UTC)
    place: tuple[int, UUID] = (int((sent - CLOCK_MARGIN).timestamp() // BUCKET_SECONDS), UUID(int=0))
    # Oldest activity first: a conversation that is written to during the search moves ahead of it, and is not missed.
    for _ in range(MAX_SEARCHED // BATCH_SIZE):
        candidates = (
            await session.execute(
                select(Conversation.active_bucket, Conversation.id)
                .where(
                    tuple_(Conversation.active_bucket, Conversation.id) > tuple_(*place),
                    Conversation.active_bucket >= place[0],  # implied, and a bound of the index
                    Conversation.last_seq > 0,
                )
                .order_by(Conversation.active_bucket, Conversation.id)
                .limit(BATCH_SIZE)
            )
        ).all()
        row = await _find(session, message, [candidate.id for candidate in candidates])
        if row is not None or len(candidates) < BATCH_SIZE:
            return row
        place = candidates[-1].active_bucket, candidates[-1].id
    raise trace_needs_conversation()


async def _find(session: AsyncSession, message: UUID, conversations: Sequence[UUID]) -> AnyRow | None:
    """One look-up by the complete key for each conversation: a join could scan the partitions instead."""
    given = (
        func.unnest(cast(conversations, ARRAY(Uuid())))
        .table_valued(column("id", Uuid()), name="given")
        .render_derived()
    )
    key = (
        select(MessageRow.conversation_id, MessageRow.seq)
        .where(MessageRow.conversation_id == given.c.id, MessageRow.id == message)
        .offset(0)
        .lateral("key")
    )
    found = (
        await session.execute(select(key.c.conversation_id, key.c.seq).select_from(given).join(key, true()))
    ).one_or_none()
    if found is None:
        return None
    statement = (
        select(
            MessageRow.conversation_id.label("message_conversation"),
            MessageRow.seq.label("message_seq"),
            MessageRow.created_position,
            MessageRow.position.label("message_position"),
            MessageRow.message_type,
            MessageRow.sent_at.label("message_sent_at"),
            MessageRow.updated_at.label("message_updated_at"),
            MessageRow.deleted_at.label("message_deleted_at"),
            SENDER.id.label("sender_id"),
            SENDER_FIRST_NAME.label("sender_first_name"),
            SENDER_LAST_NAME.label("sender_last_name"),
            Conversation.kind,
            Conversation.edited_position,
        )
        .select_from(MessageRow)
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .where(MessageRow.conversation_id == found.conversation_id, MessageRow.seq == found.seq)
    )
    return (await session.execute(with_sender(statement))).one()


async def _counts(session: AsyncSession, conversation: UUID, seq: int, sender: UUID) -> AnyRow:
    decided = func.coalesce(Subscription.decided_seq, Membership.joined_seq)
    return (
        await session.execute(
            select(
                func.count().label("recipients"),
                func.count().filter(Membership.read_seq >= seq).label("readers"),
                func.count().filter(decided < seq).label("undecided"),
            )
            .select_from(Membership)
            .outerjoin(Subscription, _of_member())
            .where(
                Membership.conversation_id == conversation,
                Membership.left_at.is_(None),
                Membership.joined_seq < seq,
                Membership.user_id != sender,
            )
        )
    ).one()


async def _members(
    session: AsyncSession, conversation: UUID, seq: int, sender: UUID, *, after: UUID | None, limit: int
) -> TraceRecipientPage:
    query = (
        select(
            Membership.user_id,
            func.coalesce(Membership.left_first_name, User.first_name).label("first_name"),
            func.coalesce(Membership.left_last_name, User.last_name).label("last_name"),
            Membership.left_at,
            Membership.read_seq,
            func.coalesce(Subscription.decided_seq, Membership.joined_seq).label("decided_seq"),
        )
        .join(User, User.id == Membership.user_id)
        .outerjoin(Subscription, _of_member())
        .where(
            Membership.conversation_id == conversation,
            Membership.joined_seq < seq,
            Membership.user_id != sender,
        )
        .order_by(Membership.user_id)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(Membership.user_id > after)
    rows = (await session.execute(query)).all()
    shown, following = _MEMBERS.page(rows, limit, lambda row: UserKey(row.user_id))
    decisions = await _decisions(session, conversation, seq, [row.user_id for row in shown])
    items = [
        TraceRecipient(
            user=Person(id=row.user_id, first_name=row.first_name, last_name=row.last_name),
            left_at=row.left_at,
            read_seq=row.read_seq,
            read=row.read_seq >= seq,
            decided=row.decided_seq >= seq,
            decisions=decisions[row.user_id],
        )
        for row in shown
    ]
    return TraceRecipientPage(items=items, next=following)


async def _decisions(
    session: AsyncSession, conversation: UUID, seq: int, users: Sequence[UUID]
) -> defaultdict[UUID, list[NotificationDecision]]:
    """Returns the decisions about the message by user, newest first."""
    row = NotificationDecisionRow
    rows = await session.execute(
        select(row.user_id, row.channel, row.outcome, row.decided_at)
        .where(row.conversation_id == conversation, row.user_id.in_(users), row.from_seq < seq, row.up_to_seq >= seq)
        .order_by(row.decided_at.desc(), row.id.desc())
        .limit(MAX_DECISIONS)
    )
    found: defaultdict[UUID, list[NotificationDecision]] = defaultdict(list)
    for one in rows:
        channel: Literal["app", "mail"] = one.channel
        found[one.user_id].append(NotificationDecision(channel=channel, outcome=one.outcome, decided_at=one.decided_at))
    return found


def _of_member() -> ColumnElement[bool]:
    return and_(Subscription.conversation_id == Membership.conversation_id, Subscription.user_id == Membership.user_id)
