"""Which senders a user has answered. Until then no mail quotes them.

Any user can write to any other or add them to a group, and the mail comes from our server. With the names and text of
strangers in it, they could send advertisements or phishing in our name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.conversations.directs import direct_key
from app.domain.conversations.models import Conversation
from app.domain.messages.models import MessageRow

MOST_READ: Final = 10_000
"""The newest messages of a conversation that are searched for the user's own: no index covers the sender."""


async def takes_part(session: AsyncSession, user: UUID, conversation: UUID, joined_seq: int) -> bool:
    """Returns True if `user` has written there since joining or being added: then its name and members are known."""
    has_written = _has_written(user, Conversation.id, Conversation.last_seq, joined_seq)
    return bool(await session.scalar(select(has_written).where(Conversation.id == conversation)))


async def answered(session: AsyncSession, user: UUID, senders: Collection[UUID]) -> set[UUID]:
    """Returns the `senders` to whom `user` has written in their direct conversation."""
    by_key = {direct_key(user, sender): sender for sender in senders}
    keys = await session.scalars(
        select(Conversation.direct_key).where(
            Conversation.direct_key.in_(by_key), _has_written(user, Conversation.id, Conversation.last_seq, 0)
        )
    )
    return {by_key[key] for key in keys if key is not None}


def _has_written(
    user: UUID, conversation: InstrumentedAttribute[UUID], last_seq: InstrumentedAttribute[int], after: int
) -> ColumnElement[bool]:
    return exists().where(
        MessageRow.conversation_id == conversation,
        MessageRow.seq > last_seq - MOST_READ,
        MessageRow.seq > after,
        MessageRow.sender_id == user,
    )
