"""Grants and withdraws the admin role. The creator is an admin, which cannot be changed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.conversations.access import lock_for_change
from app.domain.conversations.members import require_ordinary
from app.domain.conversations.membership_changes import give_role
from app.domain.error_catalogue import already_admin, not_an_admin


async def make_admin(session: AsyncSession, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` makes the member `other` an admin.

    Raises:
        Forbidden: `admins_only`; `creator`.
        Conflict: `direct`, `not_a_member`, `already_admin`.
    """
    access = (await lock_for_change(session, conversation, user)).require_group().require_admin()
    if await require_ordinary(session, access, other) == "admin":
        raise already_admin()
    await give_role(session, conversation, other, "admin", by=user)
    await log.record_action(
        session, by=user, action="member.promoted", subject=other, details={"conversation": str(conversation)}
    )


async def remove_admin(session: AsyncSession, conversation: UUID, user: UUID, other: UUID) -> None:
    """The admin `user` makes the admin `other` (or themselves) a plain member.

    Raises:
        Forbidden: `admins_only`; `creator`.
        Conflict: `direct`, `not_a_member`, `not_an_admin`.
    """
    access = (await lock_for_change(session, conversation, user)).require_group().require_admin()
    if await require_ordinary(session, access, other) != "admin":
        raise not_an_admin()
    await give_role(session, conversation, other, "member", by=user)
    await log.record_action(
        session, by=user, action="member.demoted", subject=other, details={"conversation": str(conversation)}
    )
