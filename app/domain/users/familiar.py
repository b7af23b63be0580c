"""Networks an account was logged in from lately, as far as its login sessions remember."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.texts import clean
from app.domain.users.addresses import network
from app.domain.users.emails import owned_by
from app.domain.users.models import LoginSession, User

MOST = 1_000


async def is_familiar(session: AsyncSession, email: str, address: str) -> bool:
    """Whether somebody has logged into this account from the network of `address`. Raises Invalid for NUL."""
    addresses = await session.scalars(
        select(LoginSession.address)
        .join(User, User.id == LoginSession.user_id)
        .where(owned_by(clean(email, "email", 1_000, 0)))
        .order_by(LoginSession.id.desc())
        .limit(MOST)
    )
    return network(address) in {network(one) for one in addresses}
