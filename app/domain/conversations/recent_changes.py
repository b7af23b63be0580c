"""Recent changes, found by range scans on ten-second buckets of Postgres's clock: a process reads what it missed.

A bucket is written inside a transaction that may commit seconds later, so a poll looks back further than any
transaction may live (`LOOK_BACK`).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Double, Integer, Uuid, and_, bindparam, cast, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.orm import BUCKET_SECONDS

LOOK_BACK = 30.0
"""Seconds before the start of the last successful poll. No transaction exceeds 20 s (`app.db.connector`)."""


class ConversationHead(msgspec.Struct, frozen=True):
    """The counters of a conversation."""

    conversation: UUID
    position: int
    last_seq: int
    edited_position: int


class MembershipState(msgspec.Struct, frozen=True):
    """A current membership that changed: it began, its read cursor moved, or it was hidden or shown again."""

    conversation: UUID
    user: UUID
    read_seq: int
    last_seq: int
    is_hidden: bool


def bucket_of(seconds: float) -> int:
    """The first bucket to read, for a poll whose predecessor began at `seconds` of Postgres's clock."""
    return int((seconds - LOOK_BACK) // BUCKET_SECONDS)


async def clock(session: AsyncSession) -> float:
    """Postgres's clock, in seconds since 1970."""
    return float((await session.execute(_CLOCK)).scalar_one())


async def moved_since(session: AsyncSession, bucket: int) -> list[ConversationHead]:
    """Conversations that changed in `bucket` or later, including deleted ones."""
    return [ConversationHead(*row) for row in await session.execute(_MOVED, {"bucket": bucket})]


async def busiest(session: AsyncSession, limit: int) -> list[ConversationHead]:
    """The `limit` conversations active last, latest first, without deleted and empty ones."""
    return [ConversationHead(*row) for row in await session.execute(_BUSIEST, {"most": limit})]


async def memberships_since(session: AsyncSession, bucket: int, users: Sequence[UUID]) -> list[MembershipState]:
    """Current memberships of `users` that changed in `bucket` or later, without deleted conversations."""
    return [MembershipState(*row) for row in await session.execute(_BELONGS, {"bucket": bucket, "users": list(users)})]


_CLOCK = select(cast(func.extract("epoch", func.clock_timestamp()), Double))
_BUCKET = bindparam("bucket", type_=Integer())
_MOVED = select(Conversation.id, Conversation.position, Conversation.last_seq, Conversation.edited_position).where(
    Conversation.active_bucket >= _BUCKET
)
_BUSIEST = (
    select(Conversation.id, Conversation.position, Conversation.last_seq, Conversation.edited_position)
    .where(Conversation.deleted_at.is_(None), Conversation.last_seq > 0)
    .order_by(Conversation.active_bucket.desc())
    .limit(bindparam("most", type_=Integer()))
)
_FACTS = (
    Membership.conversation_id,
    Membership.user_id,
    Membership.read_seq,
    Conversation.last_seq,
    (~is_listed()).label("is_hidden"),
)
_USERS = bindparam("users", type_=ARRAY(Uuid()))
_CHANGED = (
    select(*_FACTS)
    .join(Conversation, and_(Conversation.id == Membership.conversation_id, Conversation.deleted_at.is_(None)))
    .where(
        Membership.changed_bucket >= _BUCKET,
        Membership.left_at.is_(None),
        Membership.user_id == func.any(_USERS),
    )
)
# A message shows a hidden conversation without a write to the membership.
_SHOWN = (
    select(*_FACTS)
    .join(Conversation, and_(Conversation.id == Membership.conversation_id, Conversation.deleted_at.is_(None)))
    .where(
        Membership.hidden_seq >= literal_column("0"),
        is_listed(),
        Membership.user_id == func.any(_USERS),
        Conversation.active_bucket >= _BUCKET,
    )
)
_BELONGS = union_all(_CHANGED, _SHOWN)
