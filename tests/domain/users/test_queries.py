"""Finding people."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from app.db import Database
from app.domain.orm import uuid7
from app.domain.users.models import User
from tests.support.factories import now
from tests.support.web import API, Client, join, problem, register


def unique() -> str:
    """A name that no other user has."""
    return uuid7().hex[-12:]


async def found(api: Client, search: str, headers: dict[str, str]) -> list[str]:
    answer = await api.get(f"{API}/users/", params={"search": search}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def test_without_a_search_a_user_sees_only_themselves(api: Client) -> None:
    ada = await join(api)
    answer = await api.get(f"{API}/users/", headers=ada.headers)
    assert answer.json() == {"items": [{"id": ada.id, "first_name": "Ada", "last_name": "Tester"}], "next": None}


async def test_a_part_of_a_name_in_any_case_finds_a_user(api: Client) -> None:
    eve = await join(api, "Eve")
    name = unique()
    one = await register(api, first_name=f"Maria{name}", last_name="Sklodowska")
    two = await register(api, first_name="Irene", last_name=f"{name}Curie")
    await register(api, first_name="Lise", last_name="Meitner")
    for search in (name, name.upper(), f"  {name} "):
        assert await found(api, search, eve.headers) == [one["id"], two["id"]]
    assert await found(api, f"ia{name} SKLO", eve.headers) == [one["id"]]


async def test_wildcards_in_a_search_are_plain_text(api: Client) -> None:
    eve = await join(api, "Eve")
    name = unique()
    percent = await register(api, first_name=f"{name}100%", last_name="Sure")
    score = await register(api, first_name=f"{name}_x", last_name="Sure")
    slash = await register(api, first_name=f"{name}\\x", last_name="Sure")
    assert await found(api, f"{name}100%", eve.headers) == [percent["id"]]
    assert await found(api, f"{name}_", eve.headers) == [score["id"]]
    assert await found(api, f"{name}\\", eve.headers) == [slash["id"]]
    assert await found(api, f"{name}%x", eve.headers) == []
    assert await found(api, "%%", eve.headers) == []


async def test_an_exact_address_finds_its_owner_and_a_part_of_one_finds_none(api: Client) -> None:
    eve = await join(api, "Eve")
    ada = await register(api, email=f"{unique()}.Lovelace@example.org")
    assert await found(api, ada["email"].lower(), eve.headers) == [ada["id"]]
    assert await found(api, ada["email"].partition("@")[0], eve.headers) == []
    assert await found(api, ada["email"][:-1], eve.headers) == []


async def test_addresses_of_others_are_never_shown(api: Client) -> None:
    eve = await join(api, "Eve")
    ada = await register(api)
    answer = await api.get(f"{API}/users/", params={"search": ada["email"]}, headers=eve.headers)
    [item] = answer.json()["items"]
    assert set(item) == {"id", "first_name", "last_name"}
    assert "@" not in answer.text


@pytest.mark.parametrize("search", ["", "a", " a ", "x" * 255, "a\x00b"])
async def test_too_short_and_unstorable_searches_are_refused(api: Client, search: str) -> None:
    eve = await join(api, "Eve")
    answer = await api.get(f"{API}/users/", params={"search": search}, headers=eve.headers)
    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "search"


@pytest.mark.parametrize("state", [{"suspended_at": now()}, {"closed_at": now()}, {"is_active": False}])
async def test_an_account_that_cannot_log_in_is_not_found(
    api: Client, database: Database, state: dict[str, object]
) -> None:
    eve = await join(api, "Eve")
    name = unique()
    gone = await register(api, first_name=name)
    assert await found(api, name, eve.headers) == [gone["id"]]
    async with database.transaction() as session:
        await session.execute(update(User).where(User.id == gone["id"]).values(state))
    assert await found(api, name, eve.headers) == []
    assert await found(api, gone["email"], eve.headers) == []


async def test_pages_are_complete_while_people_register(api: Client) -> None:
    eve = await join(api, "Eve")
    name = unique()
    there = [(await register(api, first_name=f"{name}{i}"))["id"] for i in range(5)]
    seen: list[str] = []
    parameters: dict[str, str] = {"search": name, "limit": "2"}
    while True:
        page = (await api.get(f"{API}/users/", params=parameters, headers=eve.headers)).json()
        seen += [one["id"] for one in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            break
        if len(seen) == 2:
            there.append((await register(api, first_name=f"{name}late"))["id"])
        parameters["cursor"] = page["next"]
    assert seen == there


@pytest.mark.parametrize("cursor", ["", "x", "bm90IG91cnM", "x" * 2_000])
async def test_a_cursor_of_something_else_is_refused(api: Client, cursor: str) -> None:
    eve = await join(api, "Eve")
    answer = await api.get(f"{API}/users/", params={"search": "ada", "cursor": cursor}, headers=eve.headers)
    problem(answer, 400, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "-1", "101", "many"])
async def test_page_sizes_are_capped(api: Client, limit: str) -> None:
    eve = await join(api, "Eve")
    answer = await api.get(f"{API}/users/", params={"search": "ada", "limit": limit}, headers=eve.headers)
    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "limit"


async def test_the_search_can_use_the_index(database: Database) -> None:
    """Written as the index is: were the expressions to differ, Postgres would read every row instead."""
    from app.domain.users.queries import matches

    async with database.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        compiled = matches("sklodowska").compile(
            dialect=database.engine.dialect, compile_kwargs={"literal_binds": True}
        )
        plan = await session.execute(text(f"EXPLAIN SELECT id FROM users WHERE {compiled}".replace(":", "\\:")))
        assert "ix_users_full_name_trgm" in "\n".join(line for (line,) in plan)
