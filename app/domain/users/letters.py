"""What a claimed mail says, decided when it leaves: whoever asked for it never learns whether there is an account.

Tokens are made here, in the transaction that claims the mail, and are known to nobody but the task that sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.mails.outbox import Claimed
from app.domain.rows import AnyRow
from app.domain.users.emails import owned_by
from app.domain.users.mailed_tokens import mint
from app.domain.users.models import Registration, User
from app.domain.users.registering import waiting

NO_ACCOUNT, GONE = "no account", "gone"
"""Outcomes of mails that need not leave."""

_OWNER = (User.id, User.first_name, User.is_active, User.suspended_at)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A text by name (`template`), with what it needs. `token` opens what it is about."""

    template: str
    address: str
    token: str = ""
    facts: Mapping[str, Any] = {}


async def letter_of(session: AsyncSession, mail: Claimed) -> Letter | str:
    """The letter, or why there is none."""
    match mail.kind:
        case "activation":
            return await _activation(session, mail)
        case "activation_again":
            return await _activation_again(session, mail)
        case "forgotten_password":
            return await _forgotten_password(session, mail)
        case "confirm_email":
            return await _confirm_email(session, mail)
        case _:
            return Letter(template=mail.kind, address=mail.address, facts=mail.facts)


async def _activation(session: AsyncSession, mail: Claimed) -> Letter | str:
    if owner := await _owner(session, mail.address):
        return _known_already(mail, owner)
    if await session.scalar(select(Registration.id).where(Registration.id == mail.registration)) is None:
        return GONE
    token = await mint(session, "activation", registration=mail.registration)
    return Letter(template="activation", address=mail.address, token=token, facts=mail.facts)


async def _activation_again(session: AsyncSession, mail: Claimed) -> Letter | str:
    if owner := await _owner(session, mail.address):
        if owner.is_active:
            return _known_already(mail, owner)
        token = await mint(session, "activation", user=owner.id)
        return Letter(template="activation", address=mail.address, token=token, facts={"first_name": owner.first_name})
    registration = (await session.execute(waiting(mail.address))).one_or_none()
    if registration is None:
        return NO_ACCOUNT
    token = await mint(session, "activation", registration=registration.id)
    facts = {"first_name": registration.first_name}
    return Letter(template="activation", address=mail.address, token=token, facts=facts)


async def _forgotten_password(session: AsyncSession, mail: Claimed) -> Letter | str:
    owner = await _owner(session, mail.address)
    if owner is None or not owner.is_active or owner.suspended_at is not None:
        return NO_ACCOUNT
    token = await mint(session, "password", user=owner.id)
    facts = {"first_name": owner.first_name}
    return Letter(template="forgotten_password", address=mail.address, token=token, facts=facts)


async def _confirm_email(session: AsyncSession, mail: Claimed) -> Letter | str:
    owner = await _owner(session, mail.address)
    if owner is not None and owner.id != mail.user:
        return _known_already(mail, owner)
    token = await mint(session, "email", user=mail.user, email=mail.address)
    return Letter(template="confirm_email", address=mail.address, token=token, facts=mail.facts)


def _known_already(mail: Claimed, owner: AnyRow) -> Letter:
    return Letter(template="known_already", address=mail.address, facts={"first_name": owner.first_name})


async def _owner(session: AsyncSession, address: str) -> AnyRow | None:
    found = await session.execute(select(*_OWNER).where(owned_by(address), User.closed_at.is_(None)))
    return found.one_or_none()
