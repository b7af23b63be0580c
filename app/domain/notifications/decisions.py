"""Decides which members are notified in the app: one transaction per conversation, with set-based statements.

`decided_seq` of a subscription advances in the transaction that writes the notification, under the row's lock. A second
run, concurrent or after a crash, finds nothing left to decide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Interval, case, func, literal, select, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation, Membership
from app.domain.messages.models import Mention, MessageRow
from app.domain.notifications.decision_log import record_decisions
from app.domain.notifications.in_app_notifications import NewNotice, UnreadMember, notify
from app.domain.notifications.models import DecisionProgress, Subscription
from app.domain.orm import BUCKET_SECONDS, bucket_now

MARGIN: Final = 4
"""Buckets that are read again: longer than any transaction may take until its commit is visible."""

BATCH_SIZE: Final = 500
SWEEP_INTERVAL: Final = "notifications"

ConversationPosition = tuple[int, UUID]
"""(active bucket, conversation)"""


class _Undecided(NamedTuple):
    """A member of whom messages after `decided_from` are to be decided, and those after `unread_from` are unread."""

    user_id: UUID
    level: str
    muted: bool
    hidden: bool
    decided_from: int
    unread_from: int
    mentioned: bool


async def bounds(session: AsyncSession, after: timedelta) -> tuple[int, int, int]:
    """Returns the first bucket of a sweep that starts now, the first of the sweep after it, and the current bucket.

    The next sweep starts `after` and a margin before now, so that messages not due yet are read again. Without stored
    progress a sweep reads the last minutes.
    """
    behind = MARGIN + int(after.total_seconds() // BUCKET_SECONDS) + 1
    remembered = select(DecisionProgress.bucket).where(DecisionProgress.name == SWEEP_INTERVAL).scalar_subquery()
    following = bucket_now() - behind
    row = (await session.execute(select(func.coalesce(remembered, following), following, bucket_now()))).one()
    return row[0], row[1], row[2]


async def moved(
    session: AsyncSession, since: int, until: int, beyond: ConversationPosition | None = None
) -> list[ConversationPosition]:
    """Returns conversations last active in these buckets, in order and after `beyond`; at most 500."""
    place = tuple_(Conversation.active_bucket, Conversation.id)
    statement = (
        select(Conversation.active_bucket, Conversation.id)
        .where(
            Conversation.active_bucket.between(since, until),
            Conversation.deleted_at.is_(None),
            Conversation.last_seq > 0,
        )
        .order_by(Conversation.active_bucket, Conversation.id)
        .limit(BATCH_SIZE)
    )
    if beyond is not None:
        statement = statement.where(place > tuple_(*beyond))
    return [(row.active_bucket, row.id) for row in await session.execute(statement)]


async def decided(session: AsyncSession, bucket: int) -> None:
    """Stores `bucket` as the start of the next sweep. Never moves it back."""
    await session.execute(
        upsert(DecisionProgress)
        .values(name=SWEEP_INTERVAL, bucket=bucket)
        .on_conflict_do_update(index_elements=["name"], set_={"bucket": func.greatest(DecisionProgress.bucket, bucket)})
    )


async def decide(session: AsyncSession, conversation: UUID, after: timedelta, quiet: timedelta) -> list[NewNotice]:
    """Notifies, in the app, members who have not read messages older than `after`. Returns the notices to deliver.

    A mail also becomes due for them: now, or `quiet` after the previous one. `digests` decides about it then.
    """
    due = await session.scalar(
        select(MessageRow.seq)
        .where(MessageRow.conversation_id == conversation, MessageRow.sent_at <= func.clock_timestamp() - after)
        .order_by(MessageRow.seq.desc())
        .limit(1)
    )
    if due is None:
        return []
    await _subscribe(session, conversation, due)
    behind = await _undecided(session, conversation, due)
    if not behind:
        return []
    newest = await _newest_undeleted(session, conversation, min(row.unread_from for row in behind), due)
    outcomes = {row.user_id: _judge(row, due, newest) for row in behind}
    sent = [
        UnreadMember(row.user_id, row.unread_from, row.mentioned) for row in behind if outcomes[row.user_id] == "sent"
    ]
    await session.execute(
        update(Subscription)
        .where(Subscription.conversation_id == conversation, Subscription.user_id.in_(outcomes))
        .values(
            decided_seq=due,
            mail_due_at=case(
                (
                    Subscription.user_id.in_([row.user_id for row in sent]),
                    func.coalesce(
                        Subscription.mail_due_at,
                        func.greatest(func.clock_timestamp(), Subscription.mailed_at + literal(quiet, Interval)),
                    ),
                ),
                else_=Subscription.mail_due_at,
            ),
        )
    )
    await record_decisions(
        session, conversation, "app", due, [(row.user_id, row.decided_from, outcomes[row.user_id]) for row in behind]
    )
    return await notify(session, conversation, due, sent)


async def _subscribe(session: AsyncSession, conversation: UUID, due: int) -> None:
    """Inserts the missing subscriptions of members with messages to decide (joined before `due`)."""
    # One lookup by key for each member: with a join, a planner that expects few rows picks a nested loop.
    existing = (
        select(true())
        .where(Subscription.conversation_id == Membership.conversation_id, Subscription.user_id == Membership.user_id)
        .scalar_subquery()
    )
    missing = select(Membership.conversation_id, Membership.user_id, Membership.joined_seq).where(
        Membership.conversation_id == conversation,
        Membership.left_at.is_(None),
        Membership.joined_seq < due,
        existing.is_(None),
    )
    await session.execute(
        upsert(Subscription)
        .from_select(["conversation_id", "user_id", "decided_seq"], missing)
        .on_conflict_do_nothing()
    )


async def _undecided(session: AsyncSession, conversation: UUID, due: int) -> list[_Undecided]:
    """Locks and returns the subscriptions that `due` is ahead of, in user order. Those that are locked are left out.

    Rows are matched here, not by a join. A planner that expects few of them (statistics from before ten thousand people
    joined, or a plan prepared then) compares each with each, and runs into the limit for statements.
    """
    subscriptions = await session.execute(
        select(
            Subscription.user_id,
            Subscription.level,
            (Subscription.muted_until > func.clock_timestamp()).label("muted"),
            Subscription.decided_seq,
        )
        .where(Subscription.conversation_id == conversation, Subscription.decided_seq < due)
        .order_by(Subscription.user_id)
        .with_for_update(skip_locked=True)
    )
    members = await session.execute(
        select(Membership.user_id, Membership.joined_seq, Membership.read_seq, Membership.hidden_seq).where(
            Membership.conversation_id == conversation, Membership.left_at.is_(None)
        )
    )
    matched = {row.user_id: row for row in members}
    pairs = [(row, matched[row.user_id]) for row in subscriptions if row.user_id in matched]
    newest_mentions = await _newest_mentions(
        session, conversation, min((row.decided_seq for row, _ in pairs), default=due), due
    )
    return [
        _Undecided(
            user_id=row.user_id,
            level=row.level,
            muted=bool(row.muted),
            hidden=member.hidden_seq >= due,
            decided_from=(decided_from := max(row.decided_seq, member.joined_seq)),
            unread_from=(unread_from := max(decided_from, member.read_seq)),
            mentioned=newest_mentions.get(row.user_id, 0) > unread_from,
        )
        for row, member in pairs
    ]


async def _newest_mentions(session: AsyncSession, conversation: UUID, low: int, due: int) -> dict[UUID, int]:
    """Returns the seq of each member's newest mention in `low` < seq <= `due`."""
    rows = await session.execute(
        select(Mention.user_id, func.max(Mention.seq).label("newest"))
        .where(Mention.conversation_id == conversation, Mention.seq > low, Mention.seq <= due)
        .group_by(Mention.user_id)
    )
    return {row.user_id: row.newest for row in rows}


async def _newest_undeleted(session: AsyncSession, conversation: UUID, low: int, due: int) -> int:
    newest = await session.scalar(
        select(MessageRow.seq)
        .where(
            MessageRow.conversation_id == conversation,
            MessageRow.seq > low,
            MessageRow.seq <= due,
            MessageRow.deleted_at.is_(None),
        )
        .order_by(MessageRow.seq.desc())
        .limit(1)
    )
    return newest or 0


def _judge(row: _Undecided, due: int, newest: int) -> str:
    if row.unread_from >= due:
        return "read elsewhere"
    if newest <= row.unread_from:
        return "deleted"
    if row.hidden:
        return "hidden"
    if row.muted:
        return "muted"
    if row.level == "none" or (row.level == "mentions" and not row.mentioned):
        return "level"
    return "sent"
