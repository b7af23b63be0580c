"""Which logins are live: checked singly, in batches, and by concurrent requests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event

from app.db import Database
from app.domain.auth.login_status import ended_logins
from app.domain.errors import Unauthenticated
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession
from app.store.batched_login_checks import BatchedLoginChecks
from tests.support.factories import LoginSessionFactory, UserFactory, now


async def login(database: Database, account: dict[str, object] | None = None, **fields: object) -> tuple[UUID, UUID]:
    user = UserFactory.build(**(account or {}))
    row = LoginSessionFactory.build(user_id=user.id, **fields)
    async with database.transaction() as session:
        session.add(user)
        await session.flush()
        session.add(row)
    return row.id, user.id


async def test_one_query_finds_every_ended_login(database: Database) -> None:
    live = [await login(database) for _ in range(3)]
    over = [
        await login(database, revoked_at=now(), revoked_bucket=1),
        await login(database, expires_at=now() - timedelta(seconds=1)),
        await login(database, {"suspended_at": now()}),
        await login(database, {"closed_at": now()}),
        await login(database, {"is_active": False}),
        (uuid7(), uuid7()),
    ]
    async with database.transaction() as session:
        assert await ended_logins(session, [*live, *over]) == {login for login, _ in over}
        assert await ended_logins(session, []) == set()


async def test_a_login_is_live_only_for_its_owner(database: Database) -> None:
    (first, ada), (second, eve) = await login(database), await login(database)
    async with database.transaction() as session:
        assert await ended_logins(session, [(first, eve), (second, ada)]) == {first, second}


async def test_requests_at_once_share_a_query(database: Database) -> None:
    callers = [Caller(user=user, session=login) for login, user in [await login(database) for _ in range(20)]]
    ended, owner = await login(database, revoked_at=now(), revoked_bucket=1)
    queries = 0

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def count(*_: object) -> None:
        nonlocal queries
        queries += 1

    liveness = BatchedLoginChecks(database)
    requested = [*(liveness.ensure(one) for one in callers), liveness.ensure(Caller(user=owner, session=ended))]
    *fine, refused = await asyncio.gather(*requested, return_exceptions=True)
    assert fine == [None] * 20
    assert isinstance(refused, Unauthenticated)
    assert queries <= 4


async def test_an_ended_login_is_noticed_at_once(database: Database) -> None:
    session_id, user = await login(database)
    liveness = BatchedLoginChecks(database)
    caller = Caller(user=user, session=session_id)
    await liveness.ensure(caller)
    async with database.transaction() as session:
        row = await session.get_one(LoginSession, session_id)
        row.revoked_at = now()
    with pytest.raises(Unauthenticated, match="login_ended"):
        await liveness.ensure(caller)
