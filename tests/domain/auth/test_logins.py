"""Logging in, listing and ending logins, changing the password."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from app.db import Database
from app.domain.auth import logins
from app.domain.auth.devices import Device
from app.domain.auth.login_status import ended_logins
from app.domain.auth.passwords import Passwords
from app.domain.auth.tokens import Tokens
from app.domain.errors import Unauthenticated
from app.domain.events import LoginsEnded, Outgoing
from app.domain.orm import uuid7
from app.domain.users.models import User
from app.domain.users.schemas import Profile
from tests.support.factories import now
from tests.support.logins import SECOND_FACTORS, Unlimited, alive, begin
from tests.support.web import API, PASSWORD, Client, join, log_in, problem
from tests.support.web import register as register_account


async def test_a_login_answers_tokens_and_the_profile(api: Client) -> None:
    account = await register_account(api)
    answer = await api.post(f"{API}/login/", json={"email": account["email"], "password": PASSWORD})
    assert answer.status_code == 200
    assert list(answer.json()) == ["access", "refresh", "user"]
    assert answer.json()["user"] == account


async def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(api: Client) -> None:
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
                second_factors=SECOND_FACTORS,
                quotas=Unlimited(),
                tokens=tokens,
            )
    assert verified == [quick_passwords._nobodys]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "JWT", "jwt"])
async def test_both_authorization_schemes_are_accepted(api: Client, scheme: str) -> None:
    ada = await join(api)
    answer = await api.get(f"{API}/me/", headers={"Authorization": f"{scheme} {ada.access}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic {access}", "{access}", "Bearer {refresh}", "Bearer x"]
)
async def test_any_other_authorization_header_is_401(api: Client, header: str) -> None:
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


async def test_the_list_shows_the_callers_logins_newest_first(api: Client) -> None:
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


async def test_the_list_of_logins_is_paged(api: Client) -> None:
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


async def test_a_login_can_end_another_login_of_its_user(api: Client) -> None:
    ada = await join(api)
    lost = await log_in(api, ada.email)
    listed = (await api.get(f"{API}/sessions/", headers=ada.headers)).json()["items"]
    [other] = [one["id"] for one in listed if not one["current"]]
    assert (await api.delete(f"{API}/sessions/{other}/", headers=ada.headers)).status_code == 204
    assert await alive(api, ada)
    assert not await alive(api, lost)
    problem(await api.delete(f"{API}/sessions/{other}/", headers=ada.headers), 404, "not_found")


async def test_a_login_of_another_user_is_not_found(api: Client) -> None:
    ada, eve = await join(api, "Ada"), await join(api, "Eve")
    [login] = (await api.get(f"{API}/sessions/", headers=ada.headers)).json()["items"]
    theirs = await api.delete(f"{API}/sessions/{login['id']}/", headers=eve.headers)
    nobodys = await api.delete(f"{API}/sessions/{uuid7()}/", headers=eve.headers)
    assert theirs.json() == nobodys.json()
    problem(theirs, 404, "not_found")
    assert await alive(api, ada)


@pytest.mark.parametrize(
    ("state", "code"), [({"is_active": False}, "not_activated"), ({"suspended_at": now()}, "suspended")]
)
async def test_only_the_right_password_reveals_that_an_account_is_suspended_or_inactive(
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


async def test_a_login_to_a_closed_account_is_answered_like_an_unknown_one(database: Database, api: Client) -> None:
    ada = await join(api)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == ada.email).values(closed_at=now()))
    problem(
        await api.post(f"{API}/login/", json={"email": ada.email, "password": PASSWORD}), 401, "invalid_credentials"
    )
    assert not await alive(api, ada)


async def test_a_login_above_the_limit_ends_the_longest_unused_one(
    database: Database,
    grace: Profile,
    quick_passwords: Passwords,
    tokens: Tokens,
    received: list[Outgoing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins, "MAX_LOGINS", 3)
    begun = [await begin(database, grace.email, quick_passwords, tokens) for _ in range(4)]
    assert received == [LoginsEnded(sessions=(begun[0].session,))]
    async with database.transaction() as session:
        assert await ended_logins(session, [(one.session, one.user) for one in begun]) == {begun[0].session}
