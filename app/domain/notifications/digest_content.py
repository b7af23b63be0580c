"""The content of a digest, read when it is sent: messages that were read or deleted since it was queued are omitted.

It quotes conversations that the recipient joined or has written in, and senders whom the recipient has answered.
Otherwise it says only that there are unread messages: no sender, no group name, no text (see `known_senders`).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.account_mail import MailContent
from app.domain.conversations.models import Conversation, Membership
from app.domain.mails.outbox import Claimed
from app.domain.messages.message_projection import SENDER_FIRST_NAME, SENDER_LAST_NAME, with_sender
from app.domain.messages.models import MessageRow
from app.domain.notifications.known_senders import answered, takes_part
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.orm import AnyRow
from app.domain.users.account_status import account_is_open
from app.domain.users.models import User

MAX_LINES: Final = 5
MAX_LINE_LENGTH: Final = 200


async def compose(session: AsyncSession, mail: Claimed, unsubscribe_tokens: UnsubscribeTokens) -> MailContent | str:
    """Returns the digest, or the outcome if there is nothing to send."""
    assert mail.user is not None
    conversation, up_to = UUID(mail.facts["conversation"]), int(mail.facts["up_to"])
    standing = (
        await session.execute(
            select(Conversation.name, Membership.read_seq, Membership.joined_seq, Membership.was_added)
            .join(Membership, Membership.conversation_id == Conversation.id)
            .join(User, User.id == Membership.user_id)
            .where(
                Conversation.id == conversation,
                Conversation.deleted_at.is_(None),
                Membership.user_id == mail.user,
                Membership.left_at.is_(None),
                account_is_open(),
            )
        )
    ).one_or_none()
    if standing is None:
        return "gone"
    if standing.read_seq >= up_to:
        return "read elsewhere"
    unread = and_(
        MessageRow.conversation_id == conversation,
        MessageRow.seq > max(standing.read_seq, standing.joined_seq),
        MessageRow.seq <= up_to,
        MessageRow.deleted_at.is_(None),
        MessageRow.sender_id != mail.user,
    )
    rows = (
        await session.execute(
            with_sender(
                select(
                    MessageRow.sender_id,
                    MessageRow.message_type,
                    func.left(MessageRow.text, MAX_LINE_LENGTH).label("text"),
                    func.length(MessageRow.text).label("length"),
                    SENDER_FIRST_NAME.label("first_name"),
                    SENDER_LAST_NAME.label("last_name"),
                ).select_from(MessageRow)
            )
            .where(unread)
            .order_by(MessageRow.seq.desc())
            .limit(MAX_LINES + 1)
        )
    ).all()
    if not rows:
        return "deleted"
    # Members who joined by themselves chose this conversation; members who were added did not.
    takes_part_here = not standing.was_added or await takes_part(session, mail.user, conversation, standing.joined_seq)
    senders = {row.sender_id for row in rows}
    quoted = takes_part_here or await answered(session, mail.user, senders) == senders
    return MailContent(
        template="unread",
        address=mail.address,
        token=unsubscribe_tokens.token(mail.user, conversation),
        facts={
            "first_name": mail.facts.get("first_name", ""),
            "conversation": str(conversation),
            "name": standing.name if takes_part_here else "",
            "lines": [_line(row) for row in reversed(rows[:MAX_LINES])] if quoted else [],
            "more": len(rows) > MAX_LINES,
        },
    )


def _line(row: AnyRow) -> dict[str, str]:
    text = row.text + ("…" if row.length > MAX_LINE_LENGTH else "")
    return {"who": f"{row.first_name} {row.last_name}", "text": text, "type": row.message_type}
