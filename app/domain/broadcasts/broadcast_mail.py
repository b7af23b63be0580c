"""The content of a broadcast mail, read when it is sent: a broadcast canceled before that is not sent."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.account_mail import GONE, MailContent
from app.domain.broadcasts.models import BroadcastRow
from app.domain.mails.outbox import Claimed
from app.domain.users.account_status import account_is_open
from app.domain.users.models import User

CANCELED: Final = "canceled"


async def compose(session: AsyncSession, mail: Claimed) -> MailContent | str:
    """Returns the mail, or the outcome if there is nothing to send."""
    row = (
        await session.execute(
            select(BroadcastRow.title, BroadcastRow.text, BroadcastRow.canceled_at, User.first_name, User.email)
            .join(User, User.id == mail.user)
            .where(BroadcastRow.id == UUID(mail.facts["broadcast"]), account_is_open())
        )
    ).one_or_none()
    if row is None:
        return GONE
    if row.canceled_at is not None:
        return CANCELED
    paragraphs = [line for line in row.text.splitlines() if line.strip()]
    facts = {"first_name": row.first_name, "title": row.title, "paragraphs": paragraphs}
    return MailContent(template="broadcast", address=row.email, facts=facts)
