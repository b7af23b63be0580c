"""Invites, made as `chat invite create` makes them, and registrations with them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from httpx import Response
from sqlalchemy import select, update

from app.db import Database
from app.domain.invites import issue
from app.domain.invites.invite_tokens import InviteLinks
from app.domain.invites.schemas import NewInvite
from app.domain.orm import uuid7
from app.domain.users.models import Invite
from tests.support.web import API, PASSWORD, Client


async def make_invite(database: Database, **fields: Any) -> NewInvite:
    async with database.transaction() as session:
        return await issue.create(session, by=None, links=InviteLinks("https://chat.example.org"), **fields)


async def revoke(database: Database, invite: NewInvite) -> None:
    async with database.transaction() as session:
        await issue.revoke(session, invite.id, by=None)


async def change(database: Database, invite: UUID, **values: Any) -> None:
    async with database.transaction() as session:
        await session.execute(update(Invite).where(Invite.id == invite).values(values))


async def uses_of(database: Database, invite: NewInvite) -> int | None:
    async with database.transaction() as session:
        return await session.scalar(select(Invite.uses).where(Invite.id == invite.id))


def applicant(email: str = "", **fields: str) -> dict[str, str]:
    """The body of a registration, with an address of its own."""
    person = {"email": email or f"{uuid7()}@example.org", "first_name": "Ada", "last_name": "Lovelace"}
    return {**person, "password": PASSWORD, **fields}


async def apply(client: Client, invite: str | None, email: str = "", **fields: str) -> Response:
    """Registers with this token; None leaves the field out."""
    token = {} if invite is None else {"invite": invite}
    return await client.post(f"{API}/users/", json=applicant(email, **token, **fields))
