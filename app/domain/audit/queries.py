"""Reads the audit log, newest first, filtered by action, actor, subject and time. Each filter has its index."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit.log import Action
from app.domain.audit.models import AuditEntry
from app.domain.audit.schemas import AuditPage, AuditRecord
from app.domain.cursors import Keyset
from app.domain.validation import to_utc


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Entries must match all given filters. `since` is inclusive, `until` exclusive."""

    action: Action | None = None
    by: UUID | None = None
    subject: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class _MomentKey(msgspec.Struct, frozen=True):
    """The key of the entries, newest first."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


_KEYSET = Keyset("audit", _MomentKey)


async def page(session: AsyncSession, filters: Filters, *, limit: int, cursor: str | None) -> AuditPage:
    """Returns a page of entries, newest first.

    Raises:
        Invalid: the cursor belongs to another list, or a time has no time zone.
    """
    query = select(
        AuditEntry.id, AuditEntry.at, AuditEntry.by, AuditEntry.action, AuditEntry.subject, AuditEntry.details
    ).where(*_conditions(filters))
    if (after := _KEYSET.key(cursor)) is not None:
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < tuple_(to_utc(after.at, "cursor"), after.id))
    query = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit + 1)
    rows = (await session.execute(query)).all()
    shown, following = _KEYSET.page(rows, limit, lambda row: _MomentKey(row.at, row.id))
    items = [
        AuditRecord(id=row.id, at=row.at, by=row.by, action=row.action, subject=row.subject, details=row.details)
        for row in shown
    ]
    return AuditPage(items=items, next=following)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.action is not None:
        found.append(AuditEntry.action == filters.action)
    if filters.by is not None:
        found.append(AuditEntry.by == filters.by)
    if filters.subject is not None:
        found.append(AuditEntry.subject == filters.subject)
    if filters.since is not None:
        found.append(AuditEntry.at >= to_utc(filters.since, "from"))
    if filters.until is not None:
        found.append(AuditEntry.at < to_utc(filters.until, "to"))
    return found
