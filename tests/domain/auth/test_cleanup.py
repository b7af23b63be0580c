"""The sweep of expired rows keeps an invite for thirty days."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.db import Database
from app.domain.auth import cleanup
from app.domain.users.models import Invite
from tests.support.factories import now
from tests.support.invites import change, make_invite


async def test_an_invite_is_deleted_thirty_days_after_it_expired(database: Database) -> None:
    old, kept, unexpired = [await make_invite(database) for _ in range(3)]
    await change(database, old.id, expires_at=now() - timedelta(days=30, minutes=1))
    await change(database, kept.id, expires_at=now() - timedelta(days=30) + timedelta(minutes=1))
    async with database.transaction() as session:
        assert await cleanup.sweep(session) >= 1
    async with database.transaction() as session:
        left = await session.scalars(select(Invite.id).where(Invite.id.in_([old.id, kept.id, unexpired.id])))
    assert set(left) == {kept.id, unexpired.id}
