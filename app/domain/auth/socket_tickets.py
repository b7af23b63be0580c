"""Socket tickets, for browsers, which cannot set WebSocket headers. Random, hashed at rest, valid once, for 30 s."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

from sqlalchemy import delete, func, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth.login_status import login_is_live
from app.domain.auth.schemas import Ticket
from app.domain.error_catalogue import invalid_ticket
from app.domain.users.account_status import account_is_open
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, SocketTicket, User

LIFETIME_SECONDS = 30
RANDOM_BYTES = 32
MAX_TICKET_LENGTH = 128


async def issue(session: AsyncSession, caller: Caller) -> Ticket:
    """Issues a ticket for one socket of this login."""
    ticket = token_urlsafe(RANDOM_BYTES)
    await session.execute(
        insert(SocketTicket).values(
            digest=_digest(ticket),
            session_id=caller.session,
            expires_at=func.clock_timestamp() + timedelta(seconds=LIFETIME_SECONDS),
        )
    )
    return Ticket(ticket=ticket, expires_in=LIFETIME_SECONDS)


async def redeem(session: AsyncSession, ticket: str, *, lifetime: int = 900) -> Caller:
    """Spends the ticket and returns the caller it was issued to, who must renew within `lifetime` seconds.

    Raises:
        Unauthenticated: the ticket is unknown, spent or expired, or its login has ended.
    """
    # One statement: of two sockets with one ticket, the second waits for the row and finds it deleted.
    spent = await session.execute(
        delete(SocketTicket)
        .where(
            SocketTicket.digest == _digest(ticket),
            SocketTicket.expires_at > func.clock_timestamp(),
            LoginSession.id == SocketTicket.session_id,
            User.id == LoginSession.user_id,
            login_is_live(),
            account_is_open(),
        )
        .returning(LoginSession.id, LoginSession.user_id, LoginSession.expires_at)
    )
    row = spent.one_or_none()
    if row is None:
        raise invalid_ticket()
    renew = datetime.now(UTC) + timedelta(seconds=lifetime)
    return Caller(user=row.user_id, session=row.id, expires_at=min(renew, row.expires_at).timestamp())


def _digest(ticket: str) -> bytes:
    # A plain digest suffices: unlike a password, 256 random bits cannot be guessed.
    return hashlib.sha256(ticket[:MAX_TICKET_LENGTH].encode("utf-8", "surrogatepass")).digest()
