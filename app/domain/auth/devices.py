"""Where an account was logged in from lately, as far as its login sessions remember."""

from __future__ import annotations

import re
from ipaddress import ip_network
from uuid import UUID

import msgspec
from sqlalchemy import case, cast, exists, false, select
from sqlalchemy.dialects.postgresql import CIDR, INET
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.users.ip_addresses import UNKNOWN, network
from app.domain.users.models import LoginSession

MAX_DEVICES = 1_000
MAX_AGENT_LENGTH = 255
_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "okhttp/": "okhttp",
    "curl/": "curl",
    "python": "Python",
}
"""By what only their user agents say, the first that is found: most browsers also say what they imitate."""

_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iOS",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_VERSIONS = re.compile(r"[\d._]+")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where a login comes from, as its owner will see it in the list."""

    address: str = ""
    user_agent: str = ""


async def has_logged_in_from(session: AsyncSession, user: UUID, address: str) -> bool:
    """Whether one of the account's logins came from the network of `address`. One statement, whose time does not
    depend on how many logins there are (an account has a few hundred at most)."""
    here = ip_network(network(address)) if ":" in address else None
    # Of an IPv6 address the network counts; others are compared as they are. What has no colon is never cast.
    same = (
        LoginSession.address == address
        if here is None
        else case(
            (LoginSession.address.contains(":"), cast(LoginSession.address, INET).op("<<=")(cast(str(here), CIDR))),
            else_=false(),
        )
    )
    found = await session.scalar(select(exists().where(LoginSession.user_id == user, same)))
    return bool(found) and address != UNKNOWN


async def is_new_device(session: AsyncSession, user: UUID, device: Device) -> bool:
    """Whether none of the account's logins came from this network with this program; a first login is not new.

    Versions are left out: an update makes no new device.
    """
    logins = (
        await session.execute(
            select(LoginSession.address, LoginSession.user_agent)
            .where(LoginSession.user_id == user)
            .order_by(LoginSession.id.desc())
            .limit(MAX_DEVICES)
        )
    ).all()
    known = {(network(login.address), _kind(login.user_agent)) for login in logins}
    return bool(known) and (network(device.address), _kind(device.user_agent)) not in known


def program_of(user_agent: str) -> str:
    """The browser and system that a user agent names, in our own words: for a mail, which quotes no stranger."""
    named = user_agent[:MAX_AGENT_LENGTH]
    browser = next((name for mark, name in _BROWSERS.items() if mark in named), "a program that we do not know")
    system = next((name for mark, name in _SYSTEMS.items() if mark in named), "")
    return f"{browser} on {system}" if system else browser


def printable(text: str) -> str:
    return "".join(one for one in text if one.isprintable())


def _kind(user_agent: str) -> str:
    return _VERSIONS.sub("", user_agent[:MAX_AGENT_LENGTH])
