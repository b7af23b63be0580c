"""Socket tickets."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.db import Database
from app.domain.auth import socket_tickets
from app.domain.auth.tokens import Tokens
from app.domain.errors import Unauthenticated
from app.domain.users.caller import Caller
from app.domain.users.models import SocketTicket, User
from tests.support.factories import now
from tests.support.web import API, Client, Someone, join


async def issued(api: Client, person: Someone) -> str:
    answer = await api.post(f"{API}/ws-ticket/", headers=person.headers)
    assert answer.status_code == 200
    assert list(answer.json()) == ["ticket", "expires_in"]
    assert answer.json()["expires_in"] == 30
    ticket: str = answer.json()["ticket"]
    return ticket


async def redeemed(database: Database, ticket: str) -> Caller | None:
    try:
        async with database.transaction() as session:
            return await socket_tickets.redeem(session, ticket)
    except Unauthenticated:
        return None


async def test_a_ticket_stands_for_the_login_that_requested_it(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    caller = await redeemed(database, await issued(api, ada))
    assert caller is not None
    assert (str(caller.user), caller.session) == (ada.id, tokens.verify(ada.access).session)
    assert now().timestamp() < caller.expires_at <= now().timestamp() + 900


async def test_a_ticket_works_once_under_simultaneous_use(api: Client, database: Database) -> None:
    ticket = await issued(api, await join(api))
    outcomes = await asyncio.gather(*(redeemed(database, ticket) for _ in range(6)))
    assert len([one for one in outcomes if one]) == 1
    assert await redeemed(database, ticket) is None


async def test_tickets_are_random_and_only_their_hashes_are_kept(api: Client, database: Database) -> None:
    ada = await join(api)
    given = [await issued(api, ada) for _ in range(3)]
    assert len({*given}) == 3
    assert all(len(ticket) >= 22 for ticket in given)
    async with database.transaction() as session:
        kept = (await session.scalars(select(SocketTicket.digest))).all()
    assert not {ticket.encode() for ticket in given} & set(kept)


async def test_a_ticket_expires_after_half_a_minute(api: Client, database: Database) -> None:
    ticket = await issued(api, await join(api))
    async with database.transaction() as session:
        expires = await session.scalar(
            select(SocketTicket.expires_at).where(SocketTicket.digest == socket_tickets._digest(ticket))
        )
        assert expires is not None
        assert expires <= now() + timedelta(seconds=30)
        await session.execute(
            update(SocketTicket)
            .where(SocketTicket.digest == socket_tickets._digest(ticket))
            .values(expires_at=func.clock_timestamp())
        )
    assert await redeemed(database, ticket) is None


async def test_a_ticket_of_an_ended_login_is_refused(api: Client, database: Database) -> None:
    ada = await join(api)
    ticket = await issued(api, ada)
    await api.post(f"{API}/logout/", headers=ada.headers)
    assert await redeemed(database, ticket) is None


async def test_a_ticket_of_a_suspended_account_is_refused(api: Client, database: Database) -> None:
    ada = await join(api)
    ticket = await issued(api, ada)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == ada.email).values(suspended_at=now()))
    assert await redeemed(database, ticket) is None


@pytest.mark.parametrize("ticket", ["", "x", "x" * 10_000, "\x00", "\ud800", "01a204c0-56e4-704e-a32f-4ed23732cc18"])
async def test_a_ticket_that_was_never_issued_is_refused(database: Database, ticket: str) -> None:
    assert await redeemed(database, ticket) is None
