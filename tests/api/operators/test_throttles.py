"""Reports on attempts for operators: over HTTP, and as charts in the terminal."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
import redis

from app.domain.rates import Rate
from app.settings import Settings
from tests.domain.throttling.test_policies import command
from tests.support.operators import promote
from tests.support.throttling.desk import Desk
from tests.support.web import API, Client, Someone, join, problem, running
from tests.throttling.test_limiter_messages import conversation, send

LIMIT = 3


class Office(msgspec.Struct, frozen=True):
    api: Client
    root: Someone
    desk: Desk
    redis_url: str

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.api.get(f"{API}/ops/throttle/{path}/", params=query, headers=self.root.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def bring(self) -> None:
        """What was counted until now, as if it were three minutes ago: its minutes are over."""
        with redis.Redis.from_url(self.redis_url, socket_timeout=5) as client:
            for minute in range(int(time.time()) // 60 - 1, int(time.time()) // 60 + 1):
                if client.exists(f"throttle:counts:{minute}"):
                    client.rename(f"throttle:counts:{minute}", f"throttle:counts:{minute - 4}")
        assert await self.desk.bring()


@pytest.fixture
async def office(
    settings: Settings, desk: Desk, fresh_database_url: str, empty_redis_url: str
) -> AsyncIterator[Office]:
    async with running(settings, database_url=fresh_database_url, throttle_messages=Rate(LIMIT, 60)) as api:
        root = await join(api, "Root")
        promote(fresh_database_url, root.email)
        yield Office(api, root, desk, empty_redis_url)


async def test_only_stored_or_throttled_sends_count_as_attempts(office: Office) -> None:
    api = office.api
    ada, eve = await join(api, "Ada"), await join(api, "Eve")
    here, there = await conversation(api, ada), await conversation(api, eve)
    assert (await send(api, ada, here, client_id="1")).status_code == 201
    for _ in range(2):
        assert (await send(api, ada, here, client_id="1")).status_code == 200
        assert (await send(api, ada, here, client_id="1", text="another")).status_code == 422
        assert (await send(api, ada, there)).status_code in (403, 404)
        assert (await send(api, ada, here, reply_to=99)).status_code == 400
    for _ in range(LIMIT - 1):
        assert (await send(api, ada, here)).status_code == 201
    for client_id in (None, "new"):
        problem(await send(api, ada, here, client_id=client_id), 429, "throttled")
    # The throttle had refused these before it was found out what they are.
    assert (await send(api, ada, here, client_id="1")).status_code == 200
    assert (await send(api, ada, there, client_id="elsewhere")).status_code in (403, 404)
    await office.bring()
    received = await office.get("analytics", policy="messages")
    (policy,) = received["policies"]
    assert (policy["attempts"], policy["refused"], policy["subjects"]) == (LIMIT + 2, 2, 1)
    (refused,) = policy["most_refused"]
    assert (refused["person"]["id"], refused["subject"], refused["refused"]) == (ada.id, ada.id, 2)
    assert received["counted_until"] is not None
    everything = {one["policy"]: one for one in (await office.get("analytics"))["policies"]}
    assert (everything["user"]["attempts"], everything["user"]["refused"]) == (LIMIT + 2, 0)
    # A correct password is refunded, so no guess is counted.
    assert {"requests", "address"} <= set(everything)
    assert "guesses" not in everything
    assert everything["address"]["hours"][0]["attempts"] == everything["address"]["attempts"]
    assert "127.0.0.1" not in str(everything)


async def test_operators_query_what_if_over_http(office: Office) -> None:
    ada = await join(office.api, "Ada")
    here = await conversation(office.api, ada)
    for _ in range(LIMIT + 2):
        await send(office.api, ada, here)
    empty = await office.get("what-if", policy="messages")
    assert (empty["subjects"], empty["suggestion"]["limit"], empty["limit"]) == (0, None, LIMIT)
    assert "Nothing was counted" in empty["suggestion"]["reason"]
    await office.bring()
    received = await office.get("what-if", policy="messages", limit=2)
    assert (received["rate"], received["limit"], received["refused"], received["touched"]) == ("3/minute", 2, 3, 1)
    assert (received["suggestion"]["limit"], received["highest"]) == (5, 5)
    assert "5/minute is the lowest limit" in received["suggestion"]["reason"]
    assert "the most that anybody attempted" in received["suggestion"]["reason"]
    assert [(one["limit"], one["refused"]) for one in received["curve"]] == [(1, 4), (2, 3), (3, 2), (5, 0)]
    generous = await office.get("what-if", policy="messages", share=1)
    assert generous["suggestion"]["limit"] == 1


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("analytics", {"policy": "nonsense"}, 404, "unknown_policy"),
        ("what-if", {"policy": "nonsense"}, 404, "unknown_policy"),
        ("what-if", {}, 400, "invalid"),
        ("what-if", {"policy": "user", "limit": 0}, 400, "invalid"),
        ("what-if", {"policy": "user", "share": "nan"}, 400, "invalid"),
        ("what-if", {"policy": "user", "share": 1.5}, 400, "invalid"),
        ("analytics", {"from": "2026-05-04T09:00:00"}, 400, "invalid"),
        ("analytics", {"from": "2026-05-04T09:00:00Z", "to": "2026-05-04T09:00:00Z"}, 400, "invalid"),
        ("analytics", {"from": "9999-12-31T23:59:59Z"}, 400, "invalid"),
    ],
)
async def test_an_invalid_what_if_query_is_refused(
    office: Office, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    answer = await office.api.get(f"{API}/ops/throttle/{path}/", params=query, headers=office.root.headers)
    problem(answer, status, code)


@pytest.mark.parametrize(
    "query",
    [
        {"to": "0001-01-01T00:00:00Z"},
        {"to": "9999-12-31T23:59:59Z"},
        {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"},
        {"from": "0001-01-01T00:00:00+14:00", "to": "0001-01-02T00:00:00Z"},
    ],
)
async def test_a_period_without_counts_is_empty(office: Office, query: dict[str, str]) -> None:
    answer = await office.api.get(f"{API}/ops/throttle/analytics/", params=query, headers=office.root.headers)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["policies"] == []
        for policy in ("messages", "user"):
            assert (await office.get("what-if", policy=policy, **query))["attempts"] == 0


async def test_the_command_draws_the_counts(office: Office, settings: Settings, fresh_database_url: str) -> None:
    ada = await join(office.api, "Ada")
    here = await conversation(office.api, ada)
    for _ in range(LIMIT + 1):
        await send(office.api, ada, here)
    assert command(settings, fresh_database_url, "report").stdout == "Nothing was counted in this period.\n"
    await office.bring()
    with psycopg.connect(fresh_database_url, connect_timeout=3) as connection:
        connection.execute(
            "INSERT INTO throttle_policies (id, policy, rate, previous, changed_bucket)"
            " VALUES (gen_random_uuid(), 'messages', '3/minute', '60/minute', 0)"
        )
    done = command(settings, fresh_database_url, "report", "messages", "--limit", "2", "--share", "5")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("messages, 3/minute, from ")
    (hour,) = [line for line in lines if "█" * 24 + "░" * 8 in line]
    assert hour.split()[-3:] == ["4", "1", "1"]
    assert any(f"1 of 4: Ada Tester ({ada.id})" in line for line in lines)
    assert any(line.startswith("2: 2 of 4 refused, to 1 of 1.") for line in lines)
    assert any("4/minute is the lowest limit that would have touched at most 5 %" in line for line in lines)
    everything = command(settings, fresh_database_url, "report").stdout
    assert all(f"{policy}, " in everything for policy in ("address", "messages", "requests", "user"))
    assert command(settings, fresh_database_url, "report", "nonsense").returncode == 1
    for wrong in (
        ["--limit", "0"],
        ["--share", "nan"],
        ["--share", "101"],
        ["--hours", "0"],
        ["--hours", "999999999999"],
    ):
        refused = command(settings, fresh_database_url, "report", *wrong)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("chat: Hours must be 1 to 336, ")
