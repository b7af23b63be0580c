"""Lists broadcasts for operators, with the progress of their mails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.broadcasts.models import BroadcastRow
from app.domain.broadcasts.schemas import Broadcast, BroadcastPage, MailProgress, State
from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import broadcast_not_found

_KEYSET = Keyset("broadcast", IdKey)


async def show(session: AsyncSession, broadcast: UUID) -> Broadcast:
    """Returns one broadcast. Raises NotFound."""
    row = (await session.scalars(_all().where(BroadcastRow.id == broadcast))).one_or_none()
    if row is None:
        raise broadcast_not_found()
    return _as_view(row)


async def listing(session: AsyncSession, *, limit: int, cursor: str | None) -> BroadcastPage:
    """Returns all broadcasts, last planned first. Raises Invalid if the cursor belongs to another list."""
    query = _all()
    if (after := _KEYSET.key(cursor)) is not None:
        query = query.where(BroadcastRow.id < after.id)
    rows = (await session.scalars(query.order_by(BroadcastRow.id.desc()).limit(limit + 1))).all()
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    return BroadcastPage(items=[_as_view(row) for row in shown], next=following)


def _all() -> Select[BroadcastRow]:
    # Core statements update these rows, so rows in the session may be stale.
    return select(BroadcastRow).execution_options(populate_existing=True)


def _as_view(row: BroadcastRow) -> Broadcast:
    progress: dict[str, Any] = {name: getattr(row, f"mails_{name}") for name in MailProgress.__struct_fields__}
    return Broadcast(
        id=row.id,
        state=_state(row),
        title=row.title,
        text=row.text,
        to=row.audience,
        conversations=list(row.conversations),
        created_by=row.created_by,
        created_at=row.created_at,
        send_at=row.send_at,
        sent_at=row.sent_at,
        expires_at=row.expires_at,
        canceled_at=row.canceled_at,
        mails_per_second=row.mails_per_second if row.mail else None,
        mails=MailProgress(**progress) if row.mail else None,
    )


def _state(row: BroadcastRow) -> State:
    if row.canceled_at is not None:
        return "canceled"
    if row.number is None:
        return "planned"
    return "sent" if row.mails_due_at is None else "mailing"
