"""Writes audit entries in the transaction of the action itself, so that neither exists without the other.

An entry holds ids and a few facts, never the text of a message, a password or an e-mail address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit.models import AuditEntry
from app.domain.orm import uuid7

Action: TypeAlias = Literal[
    "account.closed",
    "account.restored",
    "accounts.looked_up",
    "account.suspended",
    "broadcast.canceled",
    "broadcast.planned",
    "conversation.deleted",
    "conversations.looked_up",
    "invite.created",
    "invite.revoked",
    "invite.used",
    "member.demoted",
    "member.promoted",
    "member.removed",
    "message.deleted",
    "message.traced",
    "operator.created",
    "operator.logged_in",
    "plug.pulled",
    "policy.changed",
    "task.retried",
]
"""`message.deleted` is a deletion by an admin, not by the sender. `member.*` are actions of admins. `invite.used` is
the registration of the account `by`."""

Fact: TypeAlias = str | int | float | bool | None
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
MIN_RETENTION: Final = timedelta(days=30)
"""A database trigger rejects any DELETE of younger entries (migration 0006)."""

MAX_DELETED: Final = 10_000


async def record_action(
    session: AsyncSession,
    *,
    by: UUID | None,
    action: Action,
    subject: UUID | None = None,
    details: Mapping[str, Fact | list[str]] | None = None,
) -> None:
    """Records an action in this session's transaction.

    `by` is the account that acts, None for a command on the server's machine. `subject` is the object of the action.
    """
    await session.execute(
        insert(AuditEntry).values(id=uuid7(), by=by, action=action, subject=subject, details=dict(details or {}))
    )


async def sweep(session: AsyncSession, keeping: timedelta) -> int:
    """Deletes the oldest entries older than `keeping` and 30 days, at most 10,000. Returns their number."""
    old = (
        select(AuditEntry.id)
        .where(AuditEntry.at < func.clock_timestamp() - max(keeping, MIN_RETENTION))
        .order_by(AuditEntry.at)
        .limit(MAX_DELETED)
    )
    deleted = await session.execute(delete(AuditEntry).where(AuditEntry.id.in_(old)).returning(AuditEntry.id))
    return len(deleted.all())
