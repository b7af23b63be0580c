"""Direct conversations: always two members, and one conversation for each pair, also under concurrent requests.

The pair's key is unique. The request that loses the race returns the conversation that the winner created.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.groups import record_creation
from app.domain.conversations.hidden_conversations import show
from app.domain.conversations.membership_changes import begin_membership, hold_newcomers
from app.domain.conversations.models import Conversation
from app.domain.error_catalogue import yourself
from app.domain.orm import uuid7


def direct_key(one: UUID, other: UUID) -> str:
    """The same key for both orders of the pair."""
    return ":".join(sorted((str(one), str(other))))


async def get_or_create(session: AsyncSession, user: UUID, other: UUID) -> tuple[UUID, bool]:
    """Returns the direct conversation of the pair and whether this call created it. It is listed for `user` afterwards.

    Raises:
        Invalid: `yourself`; `unknown_user`: the account does not exist or is not live.
        Conflict: `too_many_conversations`, for either user.
    """
    if user == other:
        raise yourself()
    key = direct_key(user, other)
    found = await find(session, key)
    if found is not None:
        await show(session, found, user)
        return found, False
    await hold_newcomers(session, user, other, caller=user)
    created = await session.scalar(
        insert(Conversation)
        .values(
            id=uuid7(),
            kind="direct",
            is_private=True,
            direct_key=key,
            created_by=user,
            creator_id=user,
            changed_by=user,
            position=1,
            meta_position=1,
        )
        .on_conflict_do_nothing(index_elements=["direct_key"])
        .returning(Conversation.id)
    )
    if created is None:
        # Another request committed first, while this one waited for the accounts. A new snapshot sees its row.
        existing = await find(session, key)
        assert existing is not None, "a conflict is with a committed row, and those are never deleted"
        return existing, False
    await record_creation(session, created)
    await begin_membership(session, created, user, by=user)
    await begin_membership(session, created, other, by=user)
    return created, True


async def find(session: AsyncSession, key: str) -> UUID | None:
    """The conversation with this `direct_key`, if the pair has one."""
    return await session.scalar(select(Conversation.id).where(Conversation.direct_key == key))
