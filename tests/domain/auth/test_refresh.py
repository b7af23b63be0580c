"""A login's refresh tokens: one generation refreshes, a lost answer is given again, a spent token ends the login."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app.db import Database
from app.domain.auth import refresh as families
from app.domain.auth.passwords import Passwords
from app.domain.auth.tokens import TokenPair, Tokens
from app.domain.errors import Unauthenticated
from app.domain.events import LoginsEnded, Outgoing
from app.domain.orm import BUCKET_SECONDS
from app.domain.users.models import LoginSession, User
from app.domain.users.schemas import Profile
from app.settings import Settings
from tests.support.factories import now
from tests.support.logins import begin
from tests.support.web import API, Client, Someone, join, problem


async def refreshed(api: Client, token: str) -> TokenPair:
    answer = await api.post(f"{API}/refresh/", json={"refresh": token})
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["access", "refresh"]
    return TokenPair(**answer.json())


async def age(database: Database, tokens: Tokens, token: str, seconds: float) -> None:
    """Let so many seconds have passed since the login's last rotation."""
    async with database.transaction() as session:
        await session.execute(
            update(LoginSession)
            .where(LoginSession.id == tokens.verify(token).session)
            .values(rotated_at=LoginSession.rotated_at - func.make_interval(0, 0, 0, 0, 0, 0, seconds))
        )


async def row(database: Database, tokens: Tokens, token: str) -> LoginSession:
    async with database.transaction() as session:
        return await session.get_one(LoginSession, tokens.verify(token).session)


async def test_refreshing_rotates_and_both_new_tokens_work(api: Client) -> None:
    ada = await join(api)
    pair = await refreshed(api, ada.refresh)
    assert pair.refresh != ada.refresh
    assert pair.access != ada.access
    answer = await api.get(f"{API}/me/", headers={"Authorization": f"Bearer {pair.access}"})
    assert answer.json()["id"] == ada.id
    await refreshed(api, pair.refresh)


async def test_refreshing_keeps_the_login_alive_longer(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        await session.execute(
            update(LoginSession)
            .where(LoginSession.id == tokens.verify(ada.refresh).session)
            .values(expires_at=func.now() + timedelta(days=1), last_used_at=func.now() - timedelta(days=29))
        )
    await refreshed(api, ada.refresh)
    after = await row(database, tokens, ada.refresh)
    assert after.expires_at > now() + timedelta(days=29)
    assert after.last_used_at > now() - timedelta(minutes=5)


async def test_a_refresh_whose_answer_was_lost_is_answered_again(
    api: Client, database: Database, tokens: Tokens
) -> None:
    ada = await join(api)
    pair = await refreshed(api, ada.refresh)
    assert await refreshed(api, ada.refresh) == pair
    await age(database, tokens, ada.refresh, 8)
    again = await refreshed(api, ada.refresh)
    assert tokens.verify(again.refresh).generation == 2
    await refreshed(api, pair.refresh)


async def test_a_spent_token_after_ten_seconds_counts_as_theft_and_ends_the_login(
    api: Client, database: Database, tokens: Tokens
) -> None:
    ada = await join(api)
    pair = await refreshed(api, ada.refresh)
    await age(database, tokens, ada.refresh, 10.5)
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "token_reused")
    problem(await api.post(f"{API}/refresh/", json={"refresh": pair.refresh}), 401, "invalid_token")
    for token in (ada.access, pair.access):
        answer = await api.get(f"{API}/me/", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "login_ended")
    ended = await row(database, tokens, ada.refresh)
    assert ended.revoked_at is not None
    assert ended.revoked_bucket is not None
    assert abs(ended.revoked_bucket - now().timestamp() // BUCKET_SECONDS) <= 1


async def test_a_token_two_generations_old_counts_as_theft_at_once(api: Client) -> None:
    ada = await join(api)
    second = await refreshed(api, ada.refresh)
    third = await refreshed(api, second.refresh)
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "token_reused")
    problem(await api.post(f"{API}/refresh/", json={"refresh": third.refresh}), 401, "invalid_token")


async def test_theft_ends_that_login_only(api: Client) -> None:
    ada = await join(api)
    answer = await api.post(f"{API}/login/", json={"email": ada.email, "password": "correct horse battery staple"})
    elsewhere = answer.json()
    second = await refreshed(api, ada.refresh)
    await refreshed(api, second.refresh)
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "token_reused")
    await refreshed(api, elsewhere["refresh"])


async def test_the_end_of_a_login_by_theft_is_committed_and_published(
    api: Client, database: Database, tokens: Tokens, received: list[Outgoing]
) -> None:
    ada = await join(api)
    await refreshed(api, ada.refresh)
    await age(database, tokens, ada.refresh, 11)
    async with database.transaction() as session:
        outcome = await families.refresh(session, ada.refresh, tokens)
    assert isinstance(outcome, Unauthenticated)
    assert received == [LoginsEnded(sessions=(tokens.verify(ada.refresh).session,))]
    assert (await row(database, tokens, ada.refresh)).revoked_at is not None


async def test_simultaneous_refreshes_with_one_token_get_the_same_pair(
    api: Client, database: Database, tokens: Tokens
) -> None:
    ada = await join(api)
    all_there = asyncio.Barrier(6)

    async def refresh() -> TokenPair:
        async with database.transaction() as session:
            await all_there.wait()
            outcome = await families.refresh(session, ada.refresh, tokens)
        assert isinstance(outcome, TokenPair)
        return outcome

    pairs = await asyncio.gather(*(refresh() for _ in range(6)))
    assert len({pair.refresh for pair in pairs}) == len({pair.access for pair in pairs}) == 1
    assert (await row(database, tokens, ada.refresh)).generation == 2


async def test_a_simultaneous_refresh_and_logout_leave_no_live_login(
    api: Client, database: Database, tokens: Tokens
) -> None:
    ada = await join(api)
    answers = await asyncio.gather(
        api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), api.post(f"{API}/logout/", headers=ada.headers)
    )
    assert answers[0].status_code in (200, 401)
    assert answers[1].status_code == 204
    assert (await row(database, tokens, ada.refresh)).revoked_at is not None


async def test_a_generation_from_the_future_is_refused_and_ends_nothing(
    api: Client, database: Database, tokens: Tokens
) -> None:
    """After a restored backup the newest tokens are unknown; their owners log in again, no alarm is raised."""
    ada = await join(api)
    pair = await refreshed(api, ada.refresh)
    async with database.transaction() as session:
        login = tokens.verify(ada.refresh).session
        await session.execute(update(LoginSession).where(LoginSession.id == login).values(generation=1))
    problem(await api.post(f"{API}/refresh/", json={"refresh": pair.refresh}), 401, "invalid_token")
    assert (await row(database, tokens, ada.refresh)).revoked_at is None


@pytest.mark.parametrize("state", [{"suspended_at": now()}, {"closed_at": now()}, {"is_active": False}])
async def test_an_inactive_suspended_or_closed_account_cannot_refresh(
    api: Client, database: Database, state: dict[str, object]
) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == ada.email).values(state))
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "invalid_token")


async def test_an_expired_login_cannot_refresh(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        login = tokens.verify(ada.refresh).session
        past = func.now() - timedelta(seconds=1)
        await session.execute(update(LoginSession).where(LoginSession.id == login).values(expires_at=past))
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "invalid_token")
    problem(await api.get(f"{API}/me/", headers=ada.headers), 401, "login_ended")


def of(person: Someone) -> list[str]:
    return [person.access, person.refresh, "", "nonsense"]


async def test_only_a_refresh_token_refreshes(api: Client) -> None:
    ada = await join(api)
    for token in of(ada):
        if token != ada.refresh:
            problem(await api.post(f"{API}/refresh/", json={"refresh": token}), 401, "invalid_token")
    await refreshed(api, ada.refresh)


async def test_verify_accepts_access_and_refresh_tokens_only(api: Client) -> None:
    ada = await join(api)
    for token in of(ada):
        answer = await api.post(f"{API}/verify/", json={"token": token})
        if token in (ada.access, ada.refresh):
            assert (answer.status_code, answer.json()) == (200, {})
        else:
            problem(answer, 401, "invalid_token")


async def test_verify_refuses_a_spent_refresh_token(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    pair = await refreshed(api, ada.refresh)
    assert (await api.post(f"{API}/verify/", json={"token": ada.refresh})).status_code == 200
    await age(database, tokens, ada.refresh, 11)
    problem(await api.post(f"{API}/verify/", json={"token": ada.refresh}), 401, "invalid_token")
    # Verifying consumes nothing and ends nothing; the earlier access token stays valid until it expires.
    assert (await api.post(f"{API}/verify/", json={"token": ada.access})).status_code == 200
    await age(database, tokens, ada.refresh, -11)
    await refreshed(api, pair.refresh)


async def begun(database: Database, tokens: Tokens, token: str, days: float) -> None:
    """Let the login have begun so many days ago."""
    async with database.transaction() as session:
        await session.execute(
            update(LoginSession)
            .where(LoginSession.id == tokens.verify(token).session)
            .values(created_at=func.clock_timestamp() - timedelta(days=days))
        )


async def test_a_login_ends_at_its_maximum_age_despite_use(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    await begun(database, tokens, ada.refresh, 179.999)
    pair = await refreshed(api, ada.refresh)
    left = (await row(database, tokens, pair.refresh)).expires_at - now()
    assert timedelta(seconds=60) < left < timedelta(seconds=90)
    # Its tokens end with it, and a socket ends with its access token.
    assert tokens.verify(pair.access).expires_at - now().timestamp() < 90
    assert tokens.verify(pair.refresh).expires_at - now().timestamp() < 90


async def test_a_shortened_lifetime_ends_older_logins(api: Client, database: Database, tokens: Tokens) -> None:
    ada = await join(api)
    await begun(database, tokens, ada.refresh, 180.1)
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "invalid_token")


async def test_a_lifetime_below_that_of_a_refresh_token_applies_from_the_login(
    database: Database, settings: Settings, grace: Profile, quick_passwords: Passwords
) -> None:
    short = Tokens(settings.secret_key, refresh_days=30, login_days=1)
    caller = await begin(database, grace.email, quick_passwords, short)
    async with database.transaction() as session:
        login = await session.get_one(LoginSession, caller.session)
    assert timedelta(hours=23) < login.expires_at - now() <= timedelta(days=1)
