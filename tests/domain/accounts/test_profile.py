"""Password changes and their races; accounts that become operators."""

from __future__ import annotations

import asyncio

import pytest

from app.db import Database
from app.domain.accounts.profile import change_password, create_operator
from app.domain.auth.login_status import ended_logins
from app.domain.auth.passwords import Passwords
from app.domain.auth.tokens import Tokens
from app.domain.errors import Unauthenticated
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from app.domain.users.models import User
from app.domain.users.schemas import Profile
from tests.support.logins import alive, begin
from tests.support.web import API, PASSWORD, Client, join, log_in, problem, register


async def test_a_changed_password_ends_all_other_logins(api: Client) -> None:
    ada = await join(api)
    others = [await log_in(api, ada.email) for _ in range(2)]
    change = {"current_password": PASSWORD, "new_password": "a new one, and better"}
    assert (await api.post(f"{API}/reset-password/", json=change, headers=ada.headers)).status_code == 204
    assert await alive(api, ada)
    assert [await alive(api, one) for one in others] == [False, False]
    problem(
        await api.post(f"{API}/login/", json={"email": ada.email, "password": PASSWORD}), 401, "invalid_credentials"
    )
    await log_in(api, ada.email, "a new one, and better")


async def test_a_password_change_needs_the_old_password_and_an_acceptable_new_one(api: Client) -> None:
    ada = await join(api)
    elsewhere = await log_in(api, ada.email)
    for current, new, code in (
        ("not the old one", "a new one, and better", "wrong_password"),
        (PASSWORD, "password1", "common_password"),
        (PASSWORD, ada.email.upper(), "personal_password"),
        (PASSWORD, ada.email.partition("@")[0], "personal_password"),
        (PASSWORD, "Tester Ada", "personal_password"),
        (PASSWORD, "short", "invalid"),
    ):
        change = {"current_password": current, "new_password": new}
        problem(await api.post(f"{API}/reset-password/", json=change, headers=ada.headers), 400, code)
    assert await alive(api, elsewhere)
    await log_in(api, ada.email)


async def test_registering_refuses_the_address_and_the_name_as_password(api: Client) -> None:
    email = f"{uuid7()}@example.org"
    for password in (email, "Ada Tester"):
        account = {"email": email, "password": password, "first_name": "Ada", "last_name": "Tester"}
        problem(await api.post(f"{API}/users/", json=account), 400, "personal_password")


async def test_a_long_password_verifies_with_composed_and_decomposed_accents(api: Client) -> None:
    composed, apart = "\u00e9" * 128, "e\u0301" * 128
    for registered, typed in ((composed, apart), (apart, composed)):
        account = await register(api, password=registered)
        await log_in(api, account["email"], typed)


async def test_one_of_two_simultaneous_password_changes_wins(api: Client) -> None:
    ada = await join(api)
    changes = [{"current_password": PASSWORD, "new_password": f"a new one, number {i}"} for i in range(2)]
    answers = await asyncio.gather(
        *(api.post(f"{API}/reset-password/", json=change, headers=ada.headers) for change in changes)
    )
    assert sorted(one.status_code for one in answers) == [204, 400]
    [won] = [change for change, one in zip(changes, answers, strict=True) if one.status_code == 204]
    await log_in(api, ada.email, won["new_password"])


async def test_no_login_with_the_old_password_survives_the_change(
    database: Database, grace: Profile, quick_passwords: Passwords, tokens: Tokens
) -> None:
    """Logins race the change; whichever committed before it is ended by it, whichever comes after is refused."""
    first = await begin(database, grace.email, quick_passwords, tokens)

    async def change() -> None:
        async with database.transaction() as session:
            await change_password(
                session,
                first,
                current_password=PASSWORD,
                new_password="a new one, and better",
                passwords=quick_passwords,
            )

    racing = [begin(database, grace.email, quick_passwords, tokens) for _ in range(5)]
    outcomes = await asyncio.gather(*racing[:3], change(), *racing[3:], return_exceptions=True)
    assert not [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, Unauthenticated)]
    begun = [(one.session, one.user) for one in outcomes if isinstance(one, Caller)]
    async with database.transaction() as session:
        assert await ended_logins(session, begun) == {session for session, _ in begun}
        assert await ended_logins(session, [(first.session, first.user)]) == set()


async def test_a_password_change_during_its_verification_fails_the_login(
    database: Database, grace: Profile, quick_passwords: Passwords, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begin(database, grace.email, quick_passwords, tokens)
    verify, changed = quick_passwords.verify, False

    async def verify_and_meanwhile_change(encoded: str | None, password: str) -> bool:
        nonlocal changed
        right = await verify(encoded, password)
        if not changed:
            changed = True
            new = "a new one, and better"
            async with database.transaction() as session:
                await change_password(
                    session, first, current_password=PASSWORD, new_password=new, passwords=quick_passwords
                )
        return right

    monkeypatch.setattr(quick_passwords, "verify", verify_and_meanwhile_change)
    with pytest.raises(Unauthenticated, match="invalid_credentials"):
        await begin(database, grace.email, quick_passwords, tokens)


async def test_an_outdated_hash_is_replaced_at_login(
    database: Database, grace: Profile, quick_passwords: Passwords, tokens: Tokens
) -> None:
    today = Passwords(memory=128, passes=1)
    await asyncio.gather(*(begin(database, grace.email, today, tokens) for _ in range(4)))
    async with database.transaction() as session:
        user = await session.get_one(User, grace.id)
        assert not today.is_outdated(user.password_hash)
    await begin(database, grace.email, today, tokens)
    today.close()


async def test_create_operator_creates_or_promotes_an_account(
    database: Database, api: Client, quick_passwords: Passwords
) -> None:
    ada = await join(api)
    for email in (ada.email.upper(), f"root.{uuid7()}@example.org"):
        async with database.transaction() as session:
            made = await create_operator(
                session,
                email=email,
                password="what only root knows",
                first_name="Root",
                last_name="Operator",
                passwords=quick_passwords,
            )
        async with database.transaction() as session:
            assert (await session.get_one(User, made.id)).is_operator
        await log_in(api, email, "what only root knows")
    assert not await alive(api, ada)
