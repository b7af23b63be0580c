"""Sweeping away what has expired: tickets, mailed tokens, registrations, old logins, settled mails, old audit."""

from __future__ import annotations

import structlog
from celery import shared_task

from app.domain.audit import trail
from app.domain.mails import outbox
from app.domain.notifications import inbox
from app.domain.throttling import policies
from app.domain.users import expiry
from app.tasks.workshop import Tools, workshop

log = structlog.get_logger(__name__)


@shared_task(name="chat.upkeep.expire")
def expire() -> int:
    """Delete what is over; the number of rows."""
    return workshop.run(_expire)


async def _expire(tools: Tools) -> int:
    async with tools.database.transaction() as session:
        gone = await expiry.sweep(session) + await outbox.sweep(session) + await inbox.sweep(session)
        gone += await policies.sweep(session)
        gone += await trail.sweep(session, tools.audit)
    if gone:
        log.info("expired", rows=gone)
    return gone
