"""Composes a claimed mail when it is sent: the caller that requested it never learns whether an account exists.

Tokens are minted here, in the transaction that claims the mail, and only the task that sends the mail knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth.mailed_tokens import mint
from app.domain.auth.random_codes import new_code, normalize_code
from app.domain.mails.outbox import Claimed
from app.domain.orm import AnyRow
from app.domain.users.email_addresses import owned_by
from app.domain.users.models import PendingRegistration, User
from app.domain.users.pending_registrations import pending_registrations

NO_ACCOUNT, GONE, KNOWN = "no account", "gone", "active already"
"""Outcomes of mails that are not sent."""

_OWNER = (User.id, User.email, User.first_name, User.is_active, User.suspended_at, User.credentials)


class MailContent(msgspec.Struct, frozen=True, kw_only=True):
    """A template by name and the facts it needs. `token` is the mailed token or code."""

    template: str
    address: str
    token: str = ""
    facts: Mapping[str, Any] = {}


async def compose(session: AsyncSession, mail: Claimed) -> MailContent | str:
    """Returns the mail's content, or the outcome that explains why nothing is sent."""
    match mail.kind:
        case "activation":
            return await _activation(session, mail)
        case "activation_again":
            return await _activation_again(session, mail)
        case "forgotten_password":
            return await _forgotten_password(session, mail)
        case "login_code":
            return await _login_code(session, mail)
        case "confirm_email":
            return await _confirm_email(session, mail)
        case _:
            return MailContent(template=mail.kind, address=mail.address, facts=mail.facts)


async def _activation(session: AsyncSession, mail: Claimed) -> MailContent | str:
    if owner := await _owner(session, mail.address):
        return _already_registered(owner)
    if await session.scalar(select(PendingRegistration.id).where(PendingRegistration.id == mail.registration)) is None:
        return GONE
    token = await mint(session, "activation", registration=mail.registration)
    return MailContent(template="activation", address=mail.address, token=token, facts=mail.facts)


async def _activation_again(session: AsyncSession, mail: Claimed) -> MailContent | str:
    if owner := await _owner(session, mail.address):
        if owner.is_active:
            return KNOWN  # nothing to activate; a stranger must not be able to trigger such a mail
        token = await mint(session, "activation", user=owner.id, credentials=owner.credentials)
        return MailContent(
            template="activation", address=owner.email, token=token, facts={"first_name": owner.first_name}
        )
    registrations = (await session.execute(pending_registrations(mail.address).limit(2))).all()
    if not registrations:
        return NO_ACCOUNT
    newest = registrations[0]
    if len(registrations) > 1:
        # It is unknown who chose the newest password. The owner registers again and follows that mail.
        return MailContent(template="register_again", address=newest.email)
    token = await mint(session, "activation", registration=newest.id)
    return MailContent(
        template="activation", address=newest.email, token=token, facts={"first_name": newest.first_name}
    )


async def _forgotten_password(session: AsyncSession, mail: Claimed) -> MailContent | str:
    owner = await _owner(session, mail.address)
    if owner is None or not owner.is_active or owner.suspended_at is not None:
        return NO_ACCOUNT
    token = await mint(session, "password", user=owner.id, credentials=owner.credentials)
    facts = {"first_name": owner.first_name}
    # Sent to the stored address, never to the one that was typed.
    return MailContent(template="forgotten_password", address=owner.email, token=token, facts=facts)


async def _login_code(session: AsyncSession, mail: Claimed) -> MailContent | str:
    owner = await _owner(session, mail.address)
    if owner is None or not owner.is_active or owner.suspended_at is not None:
        return NO_ACCOUNT
    code = new_code()
    await mint(session, "login", user=owner.id, credentials=owner.credentials, token=normalize_code(code))
    facts = {"first_name": owner.first_name, **mail.facts}
    return MailContent(template="login_code", address=owner.email, token=code, facts=facts)


async def _confirm_email(session: AsyncSession, mail: Claimed) -> MailContent | str:
    owner = await _owner(session, mail.address)
    if owner is not None and owner.id != mail.user:
        return _already_registered(owner)
    credentials = await session.scalar(select(User.credentials).where(User.id == mail.user, User.closed_at.is_(None)))
    if credentials is None or str(credentials) != mail.facts["credentials"]:
        return GONE  # the credentials have changed since: the request is void
    token = await mint(session, "email", user=mail.user, email=mail.address, credentials=credentials)
    return MailContent(template="confirm_email", address=mail.address, token=token, facts=mail.facts)


def _already_registered(owner: AnyRow) -> MailContent:
    return MailContent(template="known_already", address=owner.email, facts={"first_name": owner.first_name})


async def _owner(session: AsyncSession, address: str) -> AnyRow | None:
    found = await session.execute(select(*_OWNER).where(owned_by(address), User.closed_at.is_(None)))
    return found.one_or_none()
