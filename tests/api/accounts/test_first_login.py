"""The first operator of a fresh chat logs in by the printed link, once; everywhere else the path does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import psycopg
import pytest
import structlog
from httpx import Response
from structlog.testing import capture_logs

from app.domain.auth import security_log
from app.domain.rates import Rate
from app.domain.welcome import first_link
from app.domain.welcome.first_link import LIFETIME_SECONDS, OPERATOR_ADDRESS, FirstLink
from app.domain.welcome.guide_account import ADDRESS as GUIDE_ADDRESS
from app.settings import Settings
from tests.support.local_starts import freshly_started, started_here
from tests.support.servers import count, rows
from tests.support.web import API, PASSWORD, Client, problem, register, running

PATH = f"{API}/first-login/"


@pytest.fixture
def fresh(settings: Settings, fresh_database_url: str) -> Settings:
    """Settings of a chat without an account."""
    return msgspec.structs.replace(settings, database_url=fresh_database_url)


@pytest.fixture
async def printed(fresh: Settings) -> AsyncIterator[tuple[Client, str]]:
    """A chat that has just printed its link, and the link's token."""
    async with freshly_started(fresh) as (client, token):
        yield client, token


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    with capture_logs() as captured:
        monkeypatch.setattr(security_log, "log", structlog.get_logger("chat.security"))
        yield captured


async def follow(client: Client, token: str) -> Response:
    return await client.post(PATH, json={"token": token})


def refusals(events: list[Any]) -> list[Any]:
    return [one["account"] for one in events if one["event"] == "first_login_refused"]


async def expect_unknown_path(client: Client, token: str) -> None:
    """The answer is that of a path that does not exist, but for the id of the request."""
    answers = [await follow(client, token), await client.post(f"{API}/second-login/", json={"token": token})]
    for answer in answers:
        problem(answer, 404, "not_found")
    assert answers[0].content == answers[1].content


async def test_the_link_logs_in_an_operator_in_welcome_with_the_guide(printed: tuple[Client, str]) -> None:
    client, token = printed
    answer = await follow(client, token)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert sorted(body) == ["access", "refresh", "user"]
    assert (body["user"]["email"], body["user"]["is_active"]) == (OPERATOR_ADDRESS, True)
    headers = {"Authorization": f"Bearer {body['access']}"}
    (listed,) = (await client.get(f"{API}/conversations/", headers=headers)).json()["items"]
    assert (listed["name"], listed["kind"], listed["is_private"], listed["role"]) == ("Welcome", "group", True, "admin")
    detail = (await client.get(f"{API}/conversations/{listed['id']}/", headers=headers)).json()
    assert [member["user"]["first_name"] for member in detail["members"]] == ["First", "Chat"]
    assert detail["creator"] == body["user"]["id"]
    entries = (await client.get(f"{API}/ops/audit/", headers=headers)).json()["items"]
    assert [(one["action"], one["by"], one["details"]) for one in entries] == [
        ("operator.logged_in", body["user"]["id"], {}),
        ("operator.created", None, {"account": "first"}),
    ]
    assert {one["subject"] for one in entries} == {body["user"]["id"]}
    renewed = await client.post(f"{API}/refresh/", json={"refresh": body["refresh"]})
    assert renewed.status_code == 200, renewed.text


async def test_the_link_works_once(printed: tuple[Client, str], events: list[Any]) -> None:
    client, token = printed
    assert (await follow(client, token)).status_code == 200
    assert refusals(events) == []
    await expect_unknown_path(client, token)
    assert refusals(events) == [None]


async def test_of_two_requests_with_one_token_one_succeeds(
    printed: tuple[Client, str], fresh_database_url: str
) -> None:
    client, token = printed
    answers = await asyncio.gather(*(follow(client, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert count(fresh_database_url, "SELECT count(*) FROM users WHERE is_operator") == 1
    assert count(fresh_database_url, "SELECT count(*) FROM conversations") == 1


async def test_a_used_link_stays_used_when_its_operator_is_one_no_longer(
    printed: tuple[Client, str], fresh_database_url: str
) -> None:
    client, token = printed
    assert (await follow(client, token)).status_code == 200
    with psycopg.connect(fresh_database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE users SET is_operator = false")
    await expect_unknown_path(client, token)


async def test_a_chat_with_an_operator_accepts_no_link(
    printed: tuple[Client, str], fresh_database_url: str, events: list[Any]
) -> None:
    client, token = printed
    await register(client)
    with psycopg.connect(fresh_database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE users SET is_operator = true")
    await expect_unknown_path(client, token)
    assert refusals(events) == [None]
    assert count(fresh_database_url, "SELECT count(*) FROM users") == 1


@pytest.mark.parametrize("where", ["no link", "another token", "expired", "own servers", "production"])
async def test_elsewhere_there_is_nothing_at_this_path(fresh: Settings, where: str, events: list[Any]) -> None:
    token, link = first_link.make()
    expired = FirstLink(link.digest, link.made_at - LIFETIME_SECONDS - 1)
    starts: dict[str, AbstractAsyncContextManager[Client]] = {
        "no link": started_here(fresh),
        "another token": started_here(fresh, first_link.make()[1]),
        "expired": started_here(fresh, expired),
        "own servers": running(fresh),
        "production": started_here(fresh, link, environment="production"),
    }
    async with starts[where] as client:
        await expect_unknown_path(client, token)
        assert refusals(events) == [None]
        assert count(fresh.database_url, "SELECT count(*) FROM users") == 0


async def test_an_account_that_has_the_address_does_not_become_an_operator(
    printed: tuple[Client, str], fresh_database_url: str
) -> None:
    client, token = printed
    squatter = await register(client, email=OPERATOR_ADDRESS)
    body = (await follow(client, token)).json()
    assert body["user"]["id"] != squatter["id"]
    assert body["user"]["email"].startswith("operator-")
    of_squatter = f"SELECT count(*) FROM users WHERE is_operator AND id = '{squatter['id']}'"
    assert count(fresh_database_url, of_squatter) == 0


async def test_the_guide_cannot_log_in_and_accepts_no_reset(
    printed: tuple[Client, str], fresh_database_url: str
) -> None:
    client, token = printed
    assert (await follow(client, token)).status_code == 200
    for password in ("", PASSWORD, "guide"):
        refused = await client.post(f"{API}/login/", json={"email": GUIDE_ADDRESS, "password": password})
        assert refused.status_code in (400, 401), refused.text
    for path in ("forgot-password", "resend-activation"):
        problem(await client.post(f"{API}/{path}/", json={"email": GUIDE_ADDRESS}), 400, "invalid")
    account = {"email": GUIDE_ADDRESS, "password": PASSWORD, "first_name": "Eve", "last_name": "Tester"}
    problem(await client.post(f"{API}/users/", json=account), 400, "invalid")
    (found,) = rows(fresh_database_url, f"SELECT password_hash FROM users WHERE email = '{GUIDE_ADDRESS}'")
    assert found[0].startswith("$argon2id$")


async def test_nobody_can_add_the_guide_elsewhere(printed: tuple[Client, str], fresh_database_url: str) -> None:
    client, token = printed
    headers = {"Authorization": f"Bearer {(await follow(client, token)).json()['access']}"}
    ((guide,),) = rows(fresh_database_url, f"SELECT id FROM users WHERE email = '{GUIDE_ADDRESS}'")
    group = (await client.post(f"{API}/conversations/", json={"name": "Other"}, headers=headers)).json()["id"]
    added = await client.post(f"{API}/conversations/{group}/add_member/", json={"user": str(guide)}, headers=headers)
    problem(added, 403, "not_addable")


async def test_the_operator_sets_a_password_by_mail_as_anyone_does(
    printed: tuple[Client, str], fresh_database_url: str
) -> None:
    client, token = printed
    operator = (await follow(client, token)).json()["user"]["id"]
    assert (await client.post(f"{API}/forgot-password/", json={"email": OPERATOR_ADDRESS})).status_code == 204
    mails = "SELECT count(*) FROM mails WHERE kind = 'forgotten_password' AND address = '{}'"
    assert count(fresh_database_url, mails.format(OPERATOR_ADDRESS)) == 1
    ((hashed,),) = rows(fresh_database_url, f"SELECT password_hash FROM users WHERE id = '{operator}'")
    assert hashed.startswith("$argon2id$")


async def test_the_path_counts_as_any_other_before_login(fresh: Settings) -> None:
    async with freshly_started(fresh, throttle_address=Rate(3, 60), trusted_proxy_hops=1) as (client, _):
        client.headers["X-Forwarded-For"] = "198.51.100.9"
        answers = [await follow(client, "wrong") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "x" * 201}, {"token": "x", "email": "a@example.org"}])
async def test_a_malformed_body_is_400(printed: tuple[Client, str], body: dict[str, Any]) -> None:
    client, _ = printed
    problem(await client.post(PATH, json=body), 400, "invalid")


async def test_the_document_does_not_list_the_path(printed: tuple[Client, str]) -> None:
    client, _ = printed
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert f"{API}/login" in paths
    assert [path for path in paths if "first-login" in path or "development" in path] == []
