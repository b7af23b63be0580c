"""Finds the broadcasts to deliver: open sockets get all since the last poll, new sockets all after the user's cursor.

The cursor is a number in one row per user and moves after delivery. So each socket open when a broadcast is sent
receives it once, and a user without a socket receives it on the next one. A new socket may be read just after another
socket of the user moved the cursor: it still receives all broadcasts sent since it was opened.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.broadcasts.models import BroadcastCursor, BroadcastRow
from app.domain.broadcasts.schemas import Announcement
from app.domain.conversations.models import Membership
from app.domain.orm import AnyRow, Reader
from app.domain.users.models import User

MAX_PER_LISTENER: Final = 20
"""Broadcasts delivered to one listener at once: the newest."""

MAX_EXAMINED: Final = 100
"""Broadcasts read per audience type, so that many for single conversations cannot hide one for all users."""

Listener = tuple[UUID, int | None]
"""(user, number of the newest broadcast when the socket was opened, None if unknown)"""

UnseenBroadcast = dict[Listener, list[Announcement]]
"""Announcements in the order sent. Listeners without any are left out."""

_NEWEST = select(func.max(BroadcastRow.number))
_PEOPLE = (
    select(User.id, User.created_at, User.is_operator, func.coalesce(BroadcastCursor.seen, 0).label("seen"))
    .outerjoin(BroadcastCursor, BroadcastCursor.user_id == User.id)
    .where(User.id == bindparam("users", type_=ARRAY(Uuid())).any_())
)
_MEMBERS = select(Membership.user_id, Membership.conversation_id, Membership.joined_at).where(
    Membership.conversation_id == bindparam("conversations", type_=ARRAY(Uuid())).any_(),
    Membership.user_id == bindparam("users", type_=ARRAY(Uuid())).any_(),
    Membership.left_at.is_(None),
)


async def newest_number(reader: Reader) -> int:
    """Returns the number of the last broadcast sent, 0 if there is none."""
    return (await reader.execute(_NEWEST)).scalar_one() or 0


async def since(session: AsyncSession, listeners: Collection[Listener], after: int, through: int) -> UnseenBroadcast:
    """Returns the broadcasts for these listeners after number `after`, up to `through`, regardless of cursors."""
    people = await _people(session, listeners)
    return await _unseen_after(
        session, {listener: (people[listener[0]], after) for listener in listeners if listener[0] in people}, through
    )


async def missed(session: AsyncSession, listeners: Collection[Listener], through: int) -> UnseenBroadcast:
    """Returns the broadcasts for these listeners up to `through`: after their cursors or since their sockets opened."""
    people = await _people(session, listeners)
    starts = {}
    for listener in listeners:
        if (person := people.get(listener[0])) is not None:
            starts[listener] = (person, person.seen if listener[1] is None else min(person.seen, listener[1]))
    return await _unseen_after(session, starts, through)


async def move_cursors(session: AsyncSession, users: Collection[UUID], through: int) -> None:
    """Moves the cursors of these users to `through`. Cursors never move back."""
    # Sorted by id, so that two processes delivering to the same users cannot deadlock.
    rows: list[dict[str, Any]] = [{"user_id": user, "seen": through} for user in sorted(users)]
    moved = insert(BroadcastCursor).values(rows)
    await session.execute(
        moved.on_conflict_do_update(
            index_elements=["user_id"],
            set_={"seen": moved.excluded.seen},
            where=BroadcastCursor.seen < moved.excluded.seen,
        )
    )


async def _sent(session: AsyncSession, after: int, through: int) -> Sequence[AnyRow]:
    """Returns the newest active broadcasts of each audience type, oldest first."""
    kept = (
        select(
            BroadcastRow.id,
            BroadcastRow.number,
            BroadcastRow.title,
            BroadcastRow.text,
            BroadcastRow.audience,
            BroadcastRow.conversations,
            BroadcastRow.sent_at,
            func.row_number()
            .over(partition_by=BroadcastRow.audience, order_by=BroadcastRow.number.desc())
            .label("place"),
        )
        .where(
            BroadcastRow.number > after,
            BroadcastRow.number <= through,
            BroadcastRow.canceled_at.is_(None),
            BroadcastRow.expires_at > func.clock_timestamp(),
        )
        .subquery()
    )
    found = await session.execute(select(kept).where(kept.c.place <= MAX_EXAMINED).order_by(kept.c.number))
    return found.all()


async def _people(session: AsyncSession, listeners: Collection[Listener]) -> dict[UUID, AnyRow]:
    rows = await session.execute(_PEOPLE, {"users": list({user for user, _ in listeners})})
    return {row.id: row for row in rows}


async def _unseen_after(
    session: AsyncSession, starts: dict[Listener, tuple[AnyRow, int]], through: int
) -> UnseenBroadcast:
    """`starts` maps listeners to their user row and the number after which they receive broadcasts."""
    if not starts:
        return {}
    rows = await _sent(session, min(start for _, start in starts.values()), through)
    if not rows:
        return {}
    members = await _members(session, rows, [person.id for person, _ in starts.values()])
    unseen: UnseenBroadcast = {}
    for listener, (person, start) in starts.items():
        announcements = [
            Announcement(id=row.id, title=row.title, text=row.text, sent_at=row.sent_at)
            for row in rows
            if row.number > start and _is_for(row, person, members)
        ]
        if announcements:
            unseen[listener] = announcements[-MAX_PER_LISTENER:]
    return unseen


async def _members(
    session: AsyncSession, rows: Sequence[AnyRow], users: Sequence[UUID]
) -> dict[tuple[UUID, UUID], datetime]:
    """Returns when these users joined the conversations that the broadcasts address."""
    named = {conversation for row in rows for conversation in row.conversations}
    if not named:
        return {}
    found = await session.execute(_MEMBERS, {"conversations": list(named), "users": list(users)})
    return {(row.user_id, row.conversation_id): row.joined_at for row in found}


def _is_for(row: AnyRow, person: AnyRow, members: dict[tuple[UUID, UUID], datetime]) -> bool:
    """Same rule as `audience.is_addressed`, for many users and broadcasts at once."""
    if person.created_at > row.sent_at:
        return False
    if row.audience == "operators":
        return bool(person.is_operator)
    if row.audience == "conversations":
        joined = [members.get((person.id, conversation)) for conversation in row.conversations]
        return any(since is not None and since <= row.sent_at for since in joined)
    return True
