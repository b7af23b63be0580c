"""The life cycle of a mail: enqueued, claimed, settled. Each step is one statement, so any number of tasks may compete.

A mail is sent at most once. The claim is committed before the mail server is contacted. A mail that certainly was not
accepted is postponed and retried; one that may have been accepted is settled as `unknown` and never retried (I9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.events import FollowUp, enqueue_after_commit
from app.domain.mails.models import Mail
from app.domain.orm import uuid7

Kind = Literal[
    "welcome",
    "activation",
    "activation_again",
    "forgotten_password",
    "password_changed",
    "confirm_email",
    "email_change_asked",
    "email_changed",
    "account_closed",
    "new_login",
    "login_code",
    "second_factor_on",
    "second_factor_off",
    "recovery_codes_new",
    "unread",
    "broadcast",
]

SENT, WRITTEN, UNKNOWN, REFUSED, FAILED, CLOSED = "sent", "written", "unknown", "refused", "failed", "account closed"
"""`written`: to a file in DATA_DIR, because SMTP_URL names no mail server."""

NOTHING: Final = "nothing"
MAX_ATTEMPTS: Final = 6
RETRY_DELAY: Final = timedelta(seconds=30)
"""Quadrupled after each attempt: 30 s, 2 min, 8 min, 32 min, 2 h."""

CLAIM_TIMEOUT: Final = timedelta(minutes=5)
"""Longer than a task may run: the task behind an older claim is dead."""

OVERLOOKED: Final = timedelta(seconds=5)
RETENTION: Final = timedelta(days=7)
BATCH_SIZE: Final = 500
MAX_DELETED: Final = 10_000


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed mail; the claim is its only attempt in progress."""

    id: UUID
    kind: Kind
    address: str
    user: UUID | None
    registration: UUID | None
    facts: Mapping[str, Any]
    attempts: int
    posted_at: datetime


async def post(
    session: AsyncSession,
    kind: Kind,
    address: str,
    *,
    user: UUID | None = None,
    registration: UUID | None = None,
    **facts: str,
) -> UUID:
    """Enqueues a mail, sent once this transaction is committed. `facts` fill its template. Returns its id."""
    mail = uuid7()
    await session.execute(
        insert(Mail).values(
            id=mail, kind=kind, address=address, user_id=user, registration_id=registration, facts=facts
        )
    )
    enqueue_after_commit(session, FollowUp("mail", mail))
    return mail


async def post_nothing(session: AsyncSession, kind: Kind) -> None:
    """Does the work of `post` without sending, so that response times do not reveal whether a mail is sent.

    The next sweep deletes the row.
    """
    long_ago = func.clock_timestamp() - RETENTION
    await session.execute(
        insert(Mail).values(id=uuid7(), kind=kind, address="", facts={}, outcome=NOTHING, settled_at=long_ago)
    )


async def post_many(
    session: AsyncSession, kind: Kind, letters: Sequence[tuple[UUID, str, Mapping[str, str]]]
) -> list[UUID]:
    """Enqueues mails for (user, address, facts) triples. Returns the mails' ids in the same order."""
    mails = [uuid7() for _ in letters]
    rows = [
        {"id": mail, "kind": kind, "address": address, "user_id": user, "facts": dict(facts)}
        for mail, (user, address, facts) in zip(mails, letters, strict=True)
    ]
    await session.execute(insert(Mail), rows)
    for mail in mails:
        enqueue_after_commit(session, FollowUp("mail", mail))
    return mails


async def claim(session: AsyncSession, mail: UUID) -> Claimed | None:
    """Claims the mail if it is due and unclaimed, else returns None. Commit before sending."""
    claimed = await session.execute(
        update(Mail)
        .where(
            Mail.id == mail, Mail.outcome.is_(None), Mail.claimed_at.is_(None), Mail.due_at <= func.clock_timestamp()
        )
        .values(claimed_at=func.clock_timestamp(), attempts=Mail.attempts + 1)
        .returning(
            Mail.id,
            Mail.kind,
            Mail.address,
            Mail.user_id,
            Mail.registration_id,
            Mail.facts,
            Mail.attempts,
            Mail.created_at,
        )
    )
    row = claimed.one_or_none()
    if row is None:
        return None
    return Claimed(
        id=row.id,
        kind=row.kind,
        address=row.address,
        user=row.user_id,
        registration=row.registration_id,
        facts=row.facts,
        attempts=row.attempts,
        posted_at=row.created_at,
    )


async def settle(session: AsyncSession, mail: UUID, outcome: str) -> None:
    """Records the final outcome, one of those above or why nothing was sent, and erases address and facts."""
    await session.execute(
        update(Mail)
        .where(Mail.id == mail, Mail.outcome.is_(None))
        .values(outcome=outcome, settled_at=func.clock_timestamp(), address="", facts={})
    )


async def withdraw(session: AsyncSession, user: UUID) -> None:
    """Drops the account's mails that no task has claimed; those being sent are not retried."""
    mine = update(Mail).where(Mail.user_id == user, Mail.outcome.is_(None))
    await session.execute(
        mine.where(Mail.claimed_at.is_(None)).values(
            outcome=CLOSED, settled_at=func.clock_timestamp(), address="", facts={}
        )
    )
    await session.execute(mine.values(address="", facts={}))


async def was_written_within(session: AsyncSession, kind: Kind, user: UUID, within: timedelta) -> bool:
    """Returns whether a mail of this kind was enqueued for the account within that time."""
    found = await session.scalar(
        select(Mail.id)
        .where(Mail.user_id == user, Mail.kind == kind, Mail.created_at > func.clock_timestamp() - within)
        .limit(1)
    )
    return found is not None


async def postpone(session: AsyncSession, mail: Claimed) -> bool:
    """Schedules a retry of a mail that certainly was not accepted. Settles it as `failed` and returns False after
    the last."""
    if mail.attempts >= MAX_ATTEMPTS:
        await settle(session, mail.id, FAILED)
        return False
    pause = RETRY_DELAY * 4 ** (mail.attempts - 1)
    again = await session.scalar(
        update(Mail)
        .where(Mail.id == mail.id, Mail.outcome.is_(None), Mail.address != "")
        .values(claimed_at=None, due_at=func.clock_timestamp() + pause)
        .returning(Mail.id)
    )
    if again is None:
        await settle(session, mail.id, CLOSED)  # withdrawn while it was being sent
    return True


async def overdue(session: AsyncSession) -> list[UUID]:
    """Returns mails that are overdue and unclaimed, because they were postponed or their follow-up was lost. At most
    500, oldest first.

    Mails claimed by a task that died are settled as `unknown`.
    """
    now = func.clock_timestamp()
    await session.execute(
        update(Mail)
        .where(Mail.outcome.is_(None), Mail.claimed_at < now - CLAIM_TIMEOUT)
        .values(outcome=UNKNOWN, settled_at=now, address="", facts={})
    )
    waiting = (
        select(Mail.id)
        .where(Mail.outcome.is_(None), Mail.claimed_at.is_(None), Mail.due_at < now - OVERLOOKED)
        .order_by(Mail.due_at)
        .limit(BATCH_SIZE)
    )
    return list(await session.scalars(waiting))


async def sweep(session: AsyncSession) -> int:
    """Deletes at most 10,000 mails that were settled over a week ago and returns how many."""
    old = (
        select(Mail.id)
        .where(Mail.outcome.is_not(None), Mail.settled_at < func.clock_timestamp() - RETENTION)
        .limit(MAX_DELETED)
        .with_for_update(skip_locked=True)
    )
    deleted = await session.execute(delete(Mail).where(Mail.id.in_(old)).returning(Mail.id))
    return len(deleted.all())
