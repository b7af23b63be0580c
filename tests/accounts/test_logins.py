"""Logging in, listing and ending logins, changing the password."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from app.db import Database
from app.domain.errors import Unauthenticated
from app.domain.events import LoginsEnded, Outgoing
from app.domain.rows import uuid7
from app.domain.users import logins
from app.domain.users.accounts import change_password, create_operator, register
from app.domain.users.callers import Caller
from app.domain.users.liveness import dead
from app.domain.users.logins import Device
from app.domain.users.models import User
from app.domain.users.passwords import Passwords
from app.domain.users.tokens import Tokens
from app.domain.views import Profile
from tests.support.factories import now
from tests.support.web import API, PASSWORD, Client, Someone, join, log_in, problem
from tests.support.web import register as register_account


async def alive(api: Client, person: Someone) -> bool:
    answer = await api.get(f"{API}/me/", headers=person.headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def test_a_login_answers_tokens_and_the_profile(api: Client) -> None:
    account = await register_account(api)
    answer = await api.post(f"{API}/login/", json={"email": account["email"], "password": PASSWORD})
    assert answer.status_code == 200
    assert list(answer.json()) == ["access", "refresh", "user"]
    assert answer.json()["user"] == account


async def test_an_unknown_address_and_a_wrong_password_are_told_the_same(api: Client) -> None:
    account = await register_account(api)
    wrong = await api.post(f"{API}/login/", json={"email": account["email"], "password": "another battery staple"})
    unknown = await api.post(f"{API}/login/", json={"email": "nobody@example.org", "password": PASSWORD})
    problem(wrong, 401, "invalid_credentials")
    assert wrong.json() == unknown.json()
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    assert {key for key in wrong.headers if key != "x-request-id"} == {
        key for key in unknown.headers if key != "x-request-id"
    }


async def test_an_unknown_address_costs_the_same_hash(
    database: Database, tokens: Tokens, quick_passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    class Spy:
        def verify(self, encoded: str, password: bytes) -> bool:
            verified.append(encoded)
            return hasher.verify(encoded, password)

    hasher = quick_passwords._hasher
    monkeypatch.setattr(quick_passwords, "_hasher", Spy())
    with pytest.raises(Unauthenticated):
        async with database.transaction() as session:
            await logins.log_in(
                session,
                email="nobody@example.org",
                password=PASSWORD,
                device=Device(),
                passwords=quick_passwords,
                tokens=tokens,
            )
    assert verified == [quick_passwords._nobodys]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "JWT", "jwt"])
async def test_both_schemes_are_accepted(api: Client, scheme: str) -> None:
    ada = await join(api)
    answer = await api.get(f"{API}/me/", headers={"Authorization": f"{scheme} {ada.access}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic {access}", "{access}", "Bearer {refresh}", "Bearer x"]
)
async def test_anything_else_is_no_login(api: Client, header: str) -> None:
    ada = await join(api)
    given = header.format(access=ada.access, refresh=ada.refresh)
    answer = await api.get(f"{API}/me/", headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="chat"'


async def test_logging_out_ends_this_login_and_no_other(api: Client) -> None:
    ada = await join(api)
    elsewhere = await log_in(api, ada.email)
    assert (await api.post(f"{API}/logout/", headers=ada.headers)).status_code == 204
    assert not await alive(api, ada)
    assert await alive(api, elsewhere)
    problem(await api.post(f"{API}/refresh/", json={"refresh": ada.refresh}), 401, "invalid_token")
    for token in (ada.access, ada.refresh):
        problem(await api.post(f"{API}/verify/", json={"token": token}), 401, "invalid_token")


async def test_the_list_shows_ones_own_logins_newest_first(api: Client) -> None:
    ada = await join(api)
    await join(api, "Eve")
    phone = await log_in(api, ada.email, **{"User-Agent": "Phone\t1.0"})
    page = (await api.get(f"{API}/sessions/", headers=phone.headers)).json()
    assert [one["current"] for one in page["items"]] == [True, False]
    assert page["next"] is None
    assert set(page["items"][0]) == {
        "id", "created_at", "last_used_at", "expires_at", "address", "user_agent", "current",
    }  # fmt: skip
    assert page["items"][0]["user_agent"] == "Phone1.0"


async def test_the_list_pages(api: Client) -> None:
    ada = await join(api)
    for _ in range(4):
        await log_in(api, ada.email)
    pages: list[dict[str, Any]] = [{"next": None}]
    for _ in range(3):
        cursor = f"&cursor={pages[-1]['next']}" if pages[-1]["next"] else ""
        pages.append((await api.get(f"{API}/sessions/?limit=2{cursor}", headers=ada.headers)).json())
    seen = [one["id"] for page in pages[1:] for one in page["items"]]
    assert len(set(seen)) == len(seen) == 5
    assert pages[-1]["next"] is None


async def test_one_login_can_end_another_of_its_own(api: Client) -> None:
    ada = await join(api)
    lost = await log_in(api, ada.email)
    listed = (await api.get(f"{API}/sessions/", headers=ada.headers)).json()["items"]
    [other] = [one["id"] for one in listed if not one["current"]]
    assert (await api.delete(f"{API}/sessions/{other}/", headers=ada.headers)).status_code == 204
    assert await alive(api, ada)
    assert not await alive(api, lost)
    problem(await api.delete(f"{API}/sessions/{other}/", headers=ada.headers), 404, "not_found")


async def test_nobody_can_tell_that_anothers_login_exists(api: Client) -> None:
    ada, eve = await join(api, "Ada"), await join(api, "Eve")
    [login] = (await api.get(f"{API}/sessions/", headers=ada.headers)).json()["items"]
    theirs = await api.delete(f"{API}/sessions/{login['id']}/", headers=eve.headers)
    nobodys = await api.delete(f"{API}/sessions/{uuid7()}/", headers=eve.headers)
    assert theirs.json() == nobodys.json()
    problem(theirs, 404, "not_found")
    assert await alive(api, ada)


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


async def test_changing_needs_the_old_password_and_a_good_new_one(api: Client) -> None:
    ada = await join(api)
    elsewhere = await log_in(api, ada.email)
    for current, new, code in (
        ("not the old one", "a new one, and better", "wrong_password"),
        (PASSWORD, "password1", "common_password"),
        (PASSWORD, "short", "invalid"),
    ):
        change = {"current_password": current, "new_password": new}
        problem(await api.post(f"{API}/reset-password/", json=change, headers=ada.headers), 400, code)
    assert await alive(api, elsewhere)
    await log_in(api, ada.email)


async def test_of_two_changes_at_once_one_wins(api: Client) -> None:
    ada = await join(api)
    changes = [{"current_password": PASSWORD, "new_password": f"a new one, number {i}"} for i in range(2)]
    answers = await asyncio.gather(
        *(api.post(f"{API}/reset-password/", json=change, headers=ada.headers) for change in changes)
    )
    assert sorted(one.status_code for one in answers) == [204, 400]
    [won] = [change for change, one in zip(changes, answers, strict=True) if one.status_code == 204]
    await log_in(api, ada.email, won["new_password"])


@pytest.fixture
async def grace(database: Database, quick_passwords: Passwords) -> Profile:
    async with database.transaction() as session:
        return await register(
            session,
            email=f"grace.{uuid7()}@example.org",
            password=PASSWORD,
            first_name="Grace",
            last_name="Hopper",
            passwords=quick_passwords,
        )


async def begin(
    database: Database, email: str, passwords: Passwords, tokens: Tokens, password: str = PASSWORD
) -> Caller:
    async with database.transaction() as session:
        begun = await logins.log_in(
            session, email=email, password=password, device=Device(), passwords=passwords, tokens=tokens
        )
    return tokens.verify(begun.access, "access").caller()


async def test_no_login_with_the_old_password_survives_its_change(
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
        assert await dead(session, begun) == {session for session, _ in begun}
        assert await dead(session, [(first.session, first.user)]) == set()


async def test_a_password_that_changed_while_it_was_checked_is_yesterdays(
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


async def test_an_outdated_hash_is_made_anew_at_login(
    database: Database, grace: Profile, quick_passwords: Passwords, tokens: Tokens
) -> None:
    today = Passwords(memory=128, passes=1)
    await asyncio.gather(*(begin(database, grace.email, today, tokens) for _ in range(4)))
    async with database.transaction() as session:
        user = await session.get_one(User, grace.id)
        assert not today.is_outdated(user.password_hash)
    await begin(database, grace.email, today, tokens)
    today.close()


@pytest.mark.parametrize(
    ("state", "code"), [({"is_active": False}, "not_activated"), ({"suspended_at": now()}, "suspended")]
)
async def test_only_the_right_password_learns_that_an_account_is_closed_to_it(
    database: Database, api: Client, state: dict[str, object], code: str
) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == ada.email).values(state))
    problem(await api.post(f"{API}/login/", json={"email": ada.email, "password": PASSWORD}), 403, code)
    problem(
        await api.post(f"{API}/login/", json={"email": ada.email, "password": "no idea at all"}),
        401,
        "invalid_credentials",
    )
    assert not await alive(api, ada)


async def test_a_closed_account_is_an_unknown_one(database: Database, api: Client) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == ada.email).values(closed_at=now()))
    problem(
        await api.post(f"{API}/login/", json={"email": ada.email, "password": PASSWORD}), 401, "invalid_credentials"
    )
    assert not await alive(api, ada)


async def test_the_longest_unused_login_makes_room(
    database: Database,
    grace: Profile,
    quick_passwords: Passwords,
    tokens: Tokens,
    told: list[Outgoing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins, "MOST_LOGINS", 3)
    begun = [await begin(database, grace.email, quick_passwords, tokens) for _ in range(4)]
    assert told == [LoginsEnded(sessions=(begun[0].session,))]
    async with database.transaction() as session:
        assert await dead(session, [(one.session, one.user) for one in begun]) == {begun[0].session}


async def test_an_operator_is_made_or_promoted(database: Database, api: Client, quick_passwords: Passwords) -> None:
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
