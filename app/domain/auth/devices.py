"""Where an account has logged in from recently, as far as its login sessions are kept."""

from __future__ import annotations

import re
from ipaddress import ip_network
from uuid import UUID

import msgspec
from sqlalchemy import case, cast, exists, false, select
from sqlalchemy.dialects.postgresql import CIDR, INET
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.users.client_address import UNKNOWN, network
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
"""Marks in user agents; the first match wins. Most browsers also name the browsers they imitate, so order matters."""

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
    """Where a login comes from, as shown in its owner's list of logins."""

    address: str = ""
    user_agent: str = ""


async def has_logged_in_from(session: AsyncSession, user: UUID, address: str) -> bool:
    """Returns whether one of the account's logins came from the network of `address`. One statement, whose time does
    not depend on the number of logins (a few hundred at most)."""
    here = ip_network(network(address)) if ":" in address else None
    # IPv6 addresses are compared by network, all others by equality. A value without a colon is never cast.
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
    """Returns whether no login of the account came from this network with this program. A first login is not new.

    Versions are ignored: an update does not make a new device.
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
    """Names the browser and system of a user agent in our own words, so that a mail never quotes a stranger."""
    named = user_agent[:MAX_AGENT_LENGTH]
    browser = next((name for mark, name in _BROWSERS.items() if mark in named), "a program that we do not know")
    system = next((name for mark, name in _SYSTEMS.items() if mark in named), "")
    return f"{browser} on {system}" if system else browser


def printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _kind(user_agent: str) -> str:
    return _VERSIONS.sub("", user_agent[:MAX_AGENT_LENGTH])
