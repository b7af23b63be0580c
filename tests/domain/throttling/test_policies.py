"""What a process knows of the policies: everything at start, changes afterwards; and how `chat throttle` makes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from app.db import Database, open_engine
from app.domain.errors import Conflict
from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.domain.throttling import policies as module
from app.domain.throttling.overrides import REMOVAL_RETENTION_SECONDS, Override
from app.domain.throttling.policies import Policies, sweep
from app.realtime.hub.hub_queries import HubReads
from app.redis.client import RedisClient
from app.settings import Settings, environment_for_child
from app.throttling.limiter import RateLimiter, RateRequest
from tests.support.processes import ROOT
from tests.support.throttling.fixtures import Make
from tests.support.web import join, running
from tests.throttling.test_local_limiter import NOBODY

MESSAGES = Rate(60, 60)
POLICIES = Policies({"messages": MESSAGES, "address": Rate(10, 300)})


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    opened = Database(open_engine(fresh_database_url.replace("postgresql:", "postgresql+psycopg:", 1)))
    yield opened
    await opened.close()


async def people(settings: Settings, url: str, number: int) -> list[UUID]:
    async with running(settings, database_url=url) as api:
        return [UUID((await join(api)).id) for _ in range(number)]


def command(settings: Settings, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = environment_for_child(
        DATABASE_URL=url, REDIS_URL=NOBODY, SECRET_KEY=settings.secret_key, DATA_DIR=str(settings.data_dir)
    )
    requested = [sys.executable, "-m", "app.cli", "throttle", *arguments]
    return subprocess.run(requested, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_an_override_holds_until_it_is_removed(make: Make) -> None:
    throttles, ada = make(messages=MESSAGES), uuid7()
    throttles.apply_overrides(
        [Override("messages", ada, Rate(5, 60)), Override("messages", None, Rate(9, 60))], complete=False
    )
    throttles.apply_overrides([Override("of another version", None, Rate(9, 60))], complete=False)
    assert (throttles.rate("messages", str(ada)), throttles.rate("messages", "eve")) == (Rate(5, 60), Rate(9, 60))
    throttles.apply_overrides([Override("messages", ada, None)], complete=False)
    assert throttles.rate("messages", str(ada)) == Rate(9, 60)
    throttles.apply_overrides([Override("messages", None, None)], complete=False)
    assert throttles.rate("messages", str(ada)) == MESSAGES


def test_a_complete_list_of_overrides_replaces_the_known_ones(make: Make) -> None:
    throttles, ada, eve = make(messages=MESSAGES, user=MESSAGES), uuid7(), uuid7()
    throttles.apply_overrides(
        [Override("messages", ada, Rate(5, 60)), Override("user", None, Rate(9, 60))], complete=False
    )
    throttles.apply_overrides([Override("messages", eve, Rate(7, 60))], complete=True)
    assert throttles.rate("messages", str(ada)) == throttles.rate("user", str(ada)) == MESSAGES
    assert throttles.rate("messages", str(eve)) == Rate(7, 60)


async def test_without_redis_each_process_enforces_its_share_of_an_override(subject: str) -> None:
    redis_client = RedisClient(NOBODY)
    throttles = RateLimiter(redis_client, {"messages": MESSAGES}, processes=2)
    throttles.apply_overrides([Override("messages", None, Rate(8, 60))], complete=False)
    verdicts = [(await throttles.take([RateRequest(("messages",), subject)]))[0] for _ in range(6)]
    assert [one.allowed for one in verdicts] == [True] * 4 + [False] * 2
    assert (verdicts[-1].error().limit, verdicts[-1].local) == (8, True)
    await redis_client.close()


async def test_a_poll_reads_recent_changes_and_reads_everything_after_a_long_pause(
    database: Database, fresh_database_url: str
) -> None:
    reads = HubReads(database)
    first = await reads.recent_changes(None, [])
    assert (first.policies, first.all_policies) == ([], True)
    async with database.transaction() as session:
        await POLICIES.set(session, None, "messages", "5/minute")
        await POLICIES.set(session, None, "address", "6/minute")
        await POLICIES.unset(session, None, "address")
    lately = await reads.recent_changes(first.began, [])
    assert not lately.all_policies
    assert {one.policy: one.rate for one in lately.policies} == {"messages": Rate(5, 60), "address": None}
    with psycopg.connect(fresh_database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE throttle_policies SET changed_bucket = changed_bucket - 100")
    assert (await reads.recent_changes(lately.began, [])).policies == []
    asleep = await reads.recent_changes(lately.began - REMOVAL_RETENTION_SECONDS - 60, [])
    assert (asleep.policies, asleep.all_policies) == ([Override("messages", None, Rate(5, 60))], True)


async def test_exceptions_are_bounded_and_removed_ones_are_swept(
    database: Database, fresh_database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_THROTTLE_EXCEPTIONS", 2)
    *some, one_more = await people(settings, fresh_database_url, 3)
    async with database.transaction() as session:
        for user in some:
            await POLICIES.set_for(session, None, "messages", user, "5/minute")
        with pytest.raises(Conflict, match="At most"):
            await POLICIES.set_for(session, None, "messages", one_more, "5/minute")
        # Another rate is no other exception.
        await POLICIES.set_for(session, None, "messages", some[0], "6/minute")
        await POLICIES.unset_for(session, None, "messages", some[1])
        received = await POLICIES.set_for(session, None, "messages", one_more, "5/minute")
        assert (received.user.id, received.changed_from, received.changed_by) == (one_more, "60/minute", None)
    async with database.transaction() as session:
        assert await sweep(session) == 0
    with psycopg.connect(fresh_database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE throttle_policies SET changed_at = changed_at - interval '3 days'")
    async with database.transaction() as session:
        assert await sweep(session) == 1
        page = await POLICIES.exceptions(session, "messages", limit=10, cursor=None)
    assert sorted((one.user.id, one.rate) for one in page.items) == [(some[0], "6/minute"), (one_more, "5/minute")]


async def test_the_command_changes_and_shows_policies(settings: Settings, fresh_database_url: str) -> None:
    [ada] = await people(settings, fresh_database_url, 1)

    def said(*arguments: str) -> str:
        done = command(settings, fresh_database_url, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("set", "messages", "90/minute") == "messages is 90/minute, in every process within 2 s.\n"
    assert "5/minute for" in said("set", "messages", "5/minute", "--user", str(ada))
    shown = said("show")
    (line,) = [line for line in shown.splitlines() if line.startswith("messages")]
    assert line.split()[1:5] == ["90/minute", "60/minute", "from", "60/minute"]
    assert line.endswith("by the command line")
    assert f"({ada}): 5/minute" in shown
    assert "10 in 300 s" in shown
    assert "has no exception" in said("unset", "messages", "--user", str(ada))
    assert "is reset to its setting" in said("unset", "messages")
    assert "5/minute" not in said("show")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["set", "messages", "abc/fortnight"], "'abc/fortnight' is not a rate"),
        (["set", "messages", "0/minute"], "'0/minute' is not a rate"),
        (["set", "nonsense", "1/minute"], "There is no such throttling policy"),
        (["set", "messages", "1/minute", "--user", "nobody@example.org"], "There is no such user."),
        (["unset", "address", "--user", "00000000-0000-7000-8000-000000000000"], "does not count by user"),
    ],
)
def test_a_failed_command_prints_one_sentence(
    settings: Settings, database_url: str, arguments: list[str], sentence: str
) -> None:
    done = command(settings, database_url, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
