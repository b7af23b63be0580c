"""Read cursors. They never move back, need no lock on the conversation, and do not move its position.

The membership's row decides: an update that waited for a removal finds the membership ended and stores nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.conversations.access import Access, check_access
from app.domain.conversations.models import Membership, still_in
from app.domain.conversations.schemas import ReadState
from app.domain.error_catalogue import invalid_seq
from app.domain.errors import Invalid
from app.domain.orm import bucket_now


async def read(session: AsyncSession, conversation: UUID, user: UUID, seq: int) -> ReadState:
    """`user` has read everything up to `seq`.

    Raises:
        NotFound, Forbidden: as `check_access`.
        Invalid: `seq` is beyond the last message, or negative.
    """
    found = (await read_furthest(session, conversation, user, (seq,)))[seq]
    if isinstance(found, Invalid):
        raise found
    return found


async def read_furthest(
    session: AsyncSession, conversation: UUID, user: UUID, seqs: Iterable[int]
) -> dict[int, ReadState | Invalid]:
    """Stores the furthest valid one of `seqs` as read by `user`. Its state is the result for all valid ones.

    Each seq beyond the last message, or negative, maps to an Invalid.

    Raises:
        NotFound, Forbidden: as `check_access`.
    """
    access = await check_access(session, conversation, user)
    exist = {seq: 0 <= seq <= access.last_seq for seq in seqs}
    invalid = invalid_seq(("seq", f"Must be between 0 and {access.last_seq}."))
    furthest = max((seq for seq, exists in exist.items() if exists), default=None)
    state = None if furthest is None else await move_cursor(session, access, furthest)
    return {seq: state if exists and state is not None else invalid for seq, exists in exist.items()}


async def move_cursor(session: AsyncSession, access: Access, seq: int) -> ReadState:
    """Moves the cursor to `seq`, which exists. Publishes the move only if the cursor moved."""
    if seq <= access.read_seq:
        return _state(access, access.read_seq)
    moved = await session.scalar(
        update(Membership)
        .where(
            Membership.conversation_id == access.conversation,
            Membership.user_id == access.user,
            still_in(),
            Membership.read_seq < seq,
        )
        .values(read_seq=seq, changed_bucket=bucket_now())
        .returning(Membership.read_seq)
    )
    if moved is None:
        # Another device was faster, or the membership has ended. `check_access` raises in the second case.
        access = await check_access(session, access.conversation, access.user)
        return _state(access, access.read_seq)
    small = access.member_count <= events.SMALL_CONVERSATION
    events.record(session, events.ReadMoved(conversation=access.conversation, user=access.user, seq=seq, small=small))
    return _state(access, seq)


def _state(access: Access, read_seq: int) -> ReadState:
    return ReadState(read_seq=read_seq, unread=max(access.last_seq - read_seq, 0))
