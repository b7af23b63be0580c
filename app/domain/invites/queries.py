"""Lists invites for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import invite_not_found
from app.domain.invites.schemas import InvitePage, InviteRecord, InviteState
from app.domain.users.models import Invite

_KEYSET = Keyset("invite", IdKey)
_COLUMNS = (
    Invite.id,
    Invite.note,
    Invite.email_digest,
    Invite.max_uses,
    Invite.uses,
    Invite.created_by,
    Invite.created_at,
    Invite.expires_at,
    Invite.revoked_at,
    func.clock_timestamp().label("now"),
)


async def show(session: AsyncSession, invite: UUID) -> InviteRecord:
    """Returns one invite. Raises NotFound."""
    row = (await session.execute(_all().where(Invite.id == invite))).one_or_none()
    if row is None:
        raise invite_not_found()
    return _as_view(row)


async def listing(session: AsyncSession, *, limit: int, cursor: str | None) -> InvitePage:
    """Returns all invites, newest first. Raises Invalid if the cursor belongs to another list."""
    query = _all()
    if (after := _KEYSET.key(cursor)) is not None:
        query = query.where(Invite.id < after.id)
    rows = (await session.execute(query.order_by(Invite.id.desc()).limit(limit + 1))).all()
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    return InvitePage(items=[_as_view(row) for row in shown], next=following)


def _all() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS)


def _as_view(row: Any) -> InviteRecord:
    return InviteRecord(
        id=row.id,
        state=_state(row.revoked_at, row.uses, row.max_uses, row.expires_at, row.now),
        note=row.note,
        for_one_address=row.email_digest is not None,
        max_uses=row.max_uses,
        uses=row.uses,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _state(revoked_at: datetime | None, uses: int, max_uses: int, expires_at: datetime, now: datetime) -> InviteState:
    if revoked_at is not None:
        return "revoked"
    if uses >= max_uses:
        return "used_up"
    return "expired" if expires_at <= now else "open"
