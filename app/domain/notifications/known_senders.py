"""Whom a person has answered: until then a mail carries no words of theirs.

Anybody may add anybody to a group or write to them, and the mail comes from our server: with the names and the text of
strangers in it, it would be the strangers' mail, advertisement or bait, sent in our name.
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
"""Messages of a conversation that are searched for one's own, the newest: no index leads to those of a sender."""


async def takes_part(session: AsyncSession, user: UUID, conversation: UUID, joined_seq: int) -> bool:
    """Whether `user` has written there since joining, or since being added: then its name and its people are known."""
    has_written = _has_written(user, Conversation.id, Conversation.last_seq, joined_seq)
    return bool(await session.scalar(select(has_written).where(Conversation.id == conversation)))


async def answered(session: AsyncSession, user: UUID, senders: Collection[UUID]) -> set[UUID]:
    """Those of `senders` to whom `user` has written in the direct conversation of the two."""
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
