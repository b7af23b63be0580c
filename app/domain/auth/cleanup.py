"""Deletes expired rows: tickets, mailed tokens and registrations a minute after they expire, logins after a week,
invites after thirty days.

A login's row is kept that long so that a stolen old token is still recognised as part of an ended family; an invite, so
that operators see who used it, and longer than any registration that waits for its activation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.orm import DefaultBase
from app.domain.users.models import Invite, LoginSession, MailedTokenRow, PendingRegistration, SocketTicket

TICKETS = timedelta(minutes=1)
SESSIONS = timedelta(days=7)
INVITES = timedelta(days=30)
BATCH_SIZE = 10_000


async def sweep(session: AsyncSession) -> int:
    """Deletes at most 10,000 rows of each kind and returns how many. The next run deletes the rest."""
    now = func.clock_timestamp()
    tickets = await _delete_batch(session, SocketTicket, SocketTicket.digest, SocketTicket.expires_at < now - TICKETS)
    sessions = await _delete_batch(session, LoginSession, LoginSession.id, LoginSession.expires_at < now - SESSIONS)
    tokens = await _delete_batch(
        session, MailedTokenRow, MailedTokenRow.digest, MailedTokenRow.expires_at < now - TICKETS
    )
    registrations = await _delete_batch(
        session, PendingRegistration, PendingRegistration.id, PendingRegistration.expires_at < now - TICKETS
    )
    invites = await _delete_batch(session, Invite, Invite.id, Invite.expires_at < now - INVITES)
    return tickets + sessions + tokens + registrations + invites


async def _delete_batch(
    session: AsyncSession, row: type[DefaultBase], key: InstrumentedAttribute[Any], expired: ColumnElement[bool]
) -> int:
    batch = select(key).where(expired).limit(BATCH_SIZE).with_for_update(skip_locked=True)
    deleted = await session.execute(delete(row).where(key.in_(batch)).returning(key))
    return len(deleted.all())
