"""Where an account was logged in from lately, as far as its login sessions remember."""

from __future__ import annotations

import re
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.texts import clean
from app.domain.users.addresses import network
from app.domain.users.emails import owned_by
from app.domain.users.models import LoginSession, User

MOST = 1_000
LONGEST_AGENT = 255
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSIONS = re.compile(r"[\d._]+")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where a login comes from, as its owner will see it in the list."""

    address: str = ""
    user_agent: str = ""


async def is_familiar(session: AsyncSession, account: str, address: str) -> bool:
    """Whether somebody has logged into this account (an e-mail, or an id) from the network of `address`.

    Raises:
        Invalid: NUL in it.
    """
    addresses = await session.scalars(
        select(LoginSession.address)
        .join(User, User.id == LoginSession.user_id)
        .where(User.id == UUID(account) if _ID.fullmatch(account) else owned_by(clean(account, "email", 1_000, 0)))
        .order_by(LoginSession.id.desc())
        .limit(MOST)
    )
    return network(address) in {network(one) for one in addresses}


async def is_new_device(session: AsyncSession, user: UUID, device: Device) -> bool:
    """Whether none of the account's logins came from this network with this program; a first login is not new.

    Versions are left out: an update makes no new device.
    """
    logins = (
        await session.execute(
            select(LoginSession.address, LoginSession.user_agent)
            .where(LoginSession.user_id == user)
            .order_by(LoginSession.id.desc())
            .limit(MOST)
        )
    ).all()
    known = {(network(login.address), _program(login.user_agent)) for login in logins}
    return bool(known) and (network(device.address), _program(device.user_agent)) not in known


def _program(user_agent: str) -> str:
    return _VERSIONS.sub("", user_agent[:LONGEST_AGENT])
