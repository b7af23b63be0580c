"""Decides which absent members get a mail: one digest per conversation and quiet period, decided when it is due.

Presence is read before the rows are locked, so that no lock waits for Redis. Unread messages are read again when the
mail is sent (`digest_content`), so it omits messages read in between.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.mails import outbox
from app.domain.mails.models import Mail
from app.domain.messages.models import Mention
from app.domain.notifications.decision_log import record_decisions
from app.domain.notifications.models import NotificationDecisionRow, Subscription
from app.domain.orm import AnyRow
from app.domain.users.account_status import account_is_open
from app.domain.users.models import User

BATCH_SIZE: Final = 200
MAX_PER_HOUR: Final = 20
"""Digests to one user, over all conversations."""

POSTPONED: Final = timedelta(seconds=15)
"""Retry delay while presence is unknown (until two minutes after Redis is back): no user counts as absent then. With
this value every due mail is decided within three minutes of its return."""

DigestKey = tuple[UUID, UUID]
"""(conversation, user)"""


async def due(session: AsyncSession) -> list[DigestKey]:
    """Returns the keys of due mails, longest due first; at most 200."""
    rows = await session.execute(
        select(Subscription.conversation_id, Subscription.user_id)
        .where(Subscription.mail_due_at <= func.clock_timestamp())
        .order_by(Subscription.mail_due_at)
        .limit(BATCH_SIZE)
    )
    return [(row.conversation_id, row.user_id) for row in rows]


async def decide(
    session: AsyncSession, keys: Collection[DigestKey], online: Collection[UUID] | None
) -> tuple[int, int]:
    """Decides these; `online` are the users online (None: unknown). Returns the numbers decided and of mails queued."""
    rows = await _lock_due(session, keys)
    at_limit = await _users_at_limit(session, {row.user_id for row in rows})
    posted = 0
    for row in rows:
        outcome = _judge(row, online, at_limit)
        posted += await _carry_out(session, row, outcome)
    return len(rows), posted


async def record_mail_outcome(session: AsyncSession, mail: UUID, outcome: str) -> None:
    """Stores the outcome of a queued digest in its decision record."""
    await session.execute(
        update(NotificationDecisionRow)
        .where(NotificationDecisionRow.mail_id == mail)
        .values(outcome=outcome, decided_at=func.clock_timestamp())
    )


async def _lock_due(session: AsyncSession, keys: Collection[DigestKey]) -> list[AnyRow]:
    unread_from = func.greatest(Membership.read_seq, Membership.joined_seq)
    mentioned = exists().where(
        Mention.conversation_id == Subscription.conversation_id,
        Mention.user_id == Subscription.user_id,
        Mention.seq > unread_from,
    )
    rows = await session.execute(
        select(
            Subscription.conversation_id,
            Subscription.user_id,
            Subscription.level,
            Subscription.mails,
            Subscription.decided_seq,
            func.greatest(Subscription.mailed_seq, Membership.joined_seq).label("mailed_from"),
            (Subscription.muted_until > func.clock_timestamp()).label("muted"),
            unread_from.label("unread_from"),
            mentioned.label("mentioned"),
            and_(Membership.left_at.is_(None), Conversation.deleted_at.is_(None)).label("is_member"),
            account_is_open().label("is_open"),
            (~is_listed()).label("hidden"),
            User.email,
            User.first_name,
        )
        .join(
            Membership,
            and_(
                Membership.conversation_id == Subscription.conversation_id,
                Membership.user_id == Subscription.user_id,
            ),
        )
        .join(Conversation, Conversation.id == Subscription.conversation_id)
        .join(User, User.id == Subscription.user_id)
        .where(
            tuple_(Subscription.conversation_id, Subscription.user_id).in_(list(keys)),
            Subscription.mail_due_at <= func.clock_timestamp(),
        )
        .order_by(Subscription.conversation_id, Subscription.user_id)
        .with_for_update(of=Subscription, skip_locked=True)
    )
    return list(rows)


async def _users_at_limit(session: AsyncSession, users: Collection[UUID]) -> set[UUID]:
    """Returns the users who have reached `MAX_PER_HOUR` digests in the last hour."""
    rows = await session.scalars(
        select(Mail.user_id)
        .where(
            Mail.user_id.in_(users),
            Mail.kind == "unread",
            Mail.created_at > func.clock_timestamp() - timedelta(hours=1),
        )
        .group_by(Mail.user_id)
        .having(func.count() >= MAX_PER_HOUR)
    )
    return {user for user in rows if user is not None}


def _judge(row: AnyRow, online: Collection[UUID] | None, at_limit: Collection[UUID]) -> str:
    if not row.is_member:
        return "gone"
    if row.unread_from >= row.decided_seq:
        return "read elsewhere"
    if not row.is_open:
        return "no address"
    if row.hidden:
        return "hidden"
    if not row.mails:
        return "unsubscribed"
    if row.muted:
        return "muted"
    if row.level == "none" or (row.level == "mentions" and not row.mentioned):
        return "level"
    if online is None:
        return "unknown"
    if row.user_id in online:
        return "present"
    return "throttled" if row.user_id in at_limit else "due"


async def _carry_out(session: AsyncSession, row: AnyRow, outcome: str) -> int:
    values: dict[str, object] = {"mail_due_at": None}
    mails: dict[UUID, UUID] = {}
    if outcome == "unknown":
        values = {"mail_due_at": func.clock_timestamp() + POSTPONED}
    elif outcome == "due":
        values |= {"mailed_seq": row.decided_seq, "mailed_at": func.clock_timestamp()}
        mails[row.user_id] = await outbox.post(
            session,
            "unread",
            row.email,
            user=row.user_id,
            first_name=row.first_name,
            conversation=str(row.conversation_id),
            up_to=str(row.decided_seq),
        )
    await session.execute(
        update(Subscription)
        .where(Subscription.conversation_id == row.conversation_id, Subscription.user_id == row.user_id)
        .values(values)
    )
    judged = [(row.user_id, row.mailed_from, outcome)]
    await record_decisions(session, row.conversation_id, "mail", row.decided_seq, judged, mails)
    return len(mails)
