"""Tasks that fail, hang, kill their worker or are none: each ends where it should, and the queue goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from app.domain.orm import uuid7
from app.tasks import alerts
from app.tasks.task_classes import RETRIES
from tests.support import misbehaving_tasks
from tests.support.client import Json, Person, eventually
from tests.support.command import chat
from tests.support.places import Place
from tests.support.processes import last_words
from tests.tasks.conftest import Channel

WITHIN = 60.0


def times(ran: Path) -> int:
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def workers(ran: Path) -> set[str]:
    return set(ran.read_text().splitlines())


async def failed(operator: Person, ran: Path) -> list[Json]:
    """This test's, by the file that its tasks write to."""
    found = (await operator.get("/ops/tasks/failed/", limit=100))["items"]
    return [one for one in found if str(ran) in one["arguments"]]


async def the_one(operator: Person, ran: Path) -> Json:
    rows: list[Json] = []

    async def there() -> bool:
        rows[:] = await failed(operator, ran)
        return bool(rows)

    try:
        await eventually(there, WITHIN)
    except AssertionError:
        raise AssertionError(str(last_words())) from None
    assert len(rows) == 1
    return rows[0]


async def goes_on(ran: Path) -> None:
    """The worker takes the next task as if nothing had been."""
    next_one = ran.with_name("next")
    misbehaving_tasks.behaves.apply_async((str(next_one),))
    await eventually(lambda: times(next_one) == 1, WITHIN)


async def state(operator: Person, queue: str) -> Json:
    found = (await operator.get("/ops/queues/"))["queues"]
    return next(one for one in found if one["name"] == queue)


async def test_a_task_that_always_fails_is_tried_six_times_then_listed_and_retried(
    operator: Person, place: Place, ran: Path
) -> None:
    mended = ran.with_name("mended")
    before = await state(operator, "upkeep")
    misbehaving_tasks.always_fails.apply_async((str(ran), str(mended)))
    one = await the_one(operator, ran)
    assert (one["task"], one["reason"], one["error"]) == ("chat.upkeep.always_fails", "failed", "ValueError")
    assert (one["attempts"], times(ran), one["times"], one["queue"]) == (RETRIES + 1, RETRIES + 1, 1, "upkeep")
    assert misbehaving_tasks.WORDS not in str(one)
    after = await state(operator, "upkeep")
    assert after["failed"] == before["failed"] + 1
    assert after["retried"] == before["retried"] + RETRIES
    # Once more: the same row counts.
    misbehaving_tasks.always_fails.apply_async((str(ran), str(mended)))
    await eventually(lambda: times(ran) == 2 * (RETRIES + 1), WITHIN)

    async def counted() -> bool:
        return bool([row for row in await failed(operator, ran) if row["times"] == 2])

    await eventually(counted, WITHIN)
    received = chat(place.settings, "tasks", "failed")
    assert one["id"] in received.stdout
    assert "2 times since" in received.stdout
    mended.touch()
    again = (await operator.call("POST", f"/ops/tasks/failed/{one['id']}/retry/")).good(202)
    assert again["asked_at"] is not None
    (entry,) = (await operator.get("/ops/audit/", action="task.retried", subject=one["id"]))["items"]
    assert (entry["by"], entry["details"]) == (operator.id, {"task": "chat.upkeep.always_fails"})
    handed_over()
    await eventually(lambda: times(ran) == 2 * (RETRIES + 1) + 1, WITHIN)
    assert await failed(operator, ran) == []
    gone = await operator.call("POST", f"/ops/tasks/failed/{one['id']}/retry/")
    assert gone.problem.status == 404


async def test_the_command_retries_all_failed_tasks(operator: Person, place: Place, ran: Path) -> None:
    misbehaving_tasks.always_fails.apply_async((str(ran), str(ran.with_name("mended"))))
    await the_one(operator, ran)
    ran.with_name("mended").touch()
    received = chat(place.settings, "tasks", "retry")
    assert received.returncode == 0, received.stderr
    handed_over()

    async def through() -> bool:
        return times(ran) == RETRIES + 2 and not await failed(operator, ran)

    await eventually(through, WITHIN)
    for wrong in (str(uuid7()), "nonsense"):
        refused = chat(place.settings, "tasks", "retry", wrong)
        assert refused.returncode == 1
        assert refused.stderr.startswith("chat: ")


@pytest.mark.parametrize("how", ["hangs", "hangs_for_good"])
async def test_a_task_that_hangs_is_ended_and_not_retried(operator: Person, ran: Path, how: str) -> None:
    task: Any = getattr(misbehaving_tasks, how)
    task.apply_async((str(ran),))
    one = await the_one(operator, ran)
    assert (one["reason"], one["attempts"], times(ran)) == ("timeout", 1, 1)
    await goes_on(ran)
    if how == "hangs":
        assert times(ran.with_name("ran.interrupted")) == 1
        assert times(ran.with_name("ran.went on")) == 0, "an interrupted task may not go on beside the next one"


async def test_a_task_that_kills_its_worker_is_listed_as_lost(operator: Person, ran: Path) -> None:
    misbehaving_tasks.kills.apply_async((str(ran),))
    one = await the_one(operator, ran)
    assert (one["reason"], one["error"], one["attempts"]) == ("lost", "WorkerLostError", misbehaving_tasks.LIVES)
    assert times(ran) == len(workers(ran)) == misbehaving_tasks.LIVES, "each time another process"
    await goes_on(ran)


async def test_a_message_that_is_no_task_is_refused_and_listed(operator: Person, place: Place, ran: Path) -> None:
    """Pickle could carry code."""
    with redis.Redis.from_url(place.settings.redis_url, socket_timeout=5) as client:
        misbehaving_tasks.behaves.apply_async((str(ran),), countdown=0)
        await eventually(lambda: times(ran) == 1, WITHIN)
        unique = f"chat.upkeep.x{uuid7().hex}"
        headers = {"task": unique, "id": str(uuid7()), "lang": "py", "root_id": None, "parent_id": None}
        properties = {
            "delivery_info": {"exchange": "", "routing_key": "upkeep"},
            "delivery_tag": str(uuid7()),
            "body_encoding": "base64",
        }
        message = {
            "body": "gASVCAAAAAAAAACMBGV4aXSULg==",
            "content-type": "application/x-python-serialize",
            "content-encoding": "binary",
            "headers": headers,
            "properties": properties,
        }
        client.lpush("upkeep", json.dumps(message))
    rows: list[Json] = []

    async def seen() -> bool:
        found = (await operator.get("/ops/tasks/failed/", limit=100))["items"]
        rows[:] = [one for one in found if one["task"] == unique]
        return bool(rows)

    await eventually(seen, WITHIN)
    assert rows[0]["reason"] == "refused"
    again = await operator.call("POST", f"/ops/tasks/failed/{rows[0]['id']}/retry/")
    assert (again.problem.status, again.problem.code) == (409, "not_repeatable")
    assert (await state(operator, "upkeep"))["failed"] > 0
    await goes_on(ran)


async def test_each_channel_receives_one_message_per_minute_and_task(
    operator: Person, place: Place, ran: Path, channel: Channel
) -> None:
    for number in range(3):
        misbehaving_tasks.fails_too.apply_async((f"{ran}{number}",))
    for number in range(3):
        await the_one(operator, ran.with_name(f"ran{number}"))
    await goes_on(ran)
    (received,) = [text for text in channel.received if "chat.upkeep.fails_too" in text]
    assert "LookupError" in received
    assert misbehaving_tasks.WORDS not in received
    (posted,) = [one for one in channel.posted if "chat.upkeep.fails_too" in str(one)]
    assert (posted["title"], posted["message"]) == ("Chat: a background task fails", received)
    logged = "".join(log.read_text(errors="replace") for log in place.processes.directory.glob("*.log"))
    assert "operators_alerted" in logged
    assert "secret-of-the-hook" not in logged


async def test_a_periodic_task_that_ran_again_is_not_listed_and_pages_no_operator(
    operator: Person, place: Place, ran: Path, channel: Channel
) -> None:
    mended = ran.with_name("mended")
    arguments = (str(ran), str(mended))
    misbehaving_tasks.comes_again.apply_async(arguments)
    one = await the_one(operator, ran)
    assert (one["attempts"], one["times"], times(ran)) == (1, 1, 1), "its next run is its retry"
    assert await alerted(channel, ran) == [], "it has failed once"
    misbehaving_tasks.comes_again.apply_async(arguments)

    async def failed_again() -> bool:
        return bool([row for row in await failed(operator, ran) if row["times"] == 2])

    await eventually(failed_again, WITHIN)
    (message,) = await alerted(channel, ran)
    assert "LookupError, 2 times since" in message
    mended.touch()
    misbehaving_tasks.comes_again.apply_async(arguments)

    async def recovered() -> bool:
        return not await failed(operator, ran)

    await eventually(recovered, WITHIN)
    assert await alerted(channel, ran) == [message]
    assert str(ran) not in chat(place.settings, "tasks", "failed").stdout


async def alerted(channel: Channel, ran: Path) -> list[str]:
    """What the channel received of the task, once an alert about it is due and its worker has taken the next task."""
    alerts.alert.apply_async(("chat.upkeep.comes_again",))
    after = ran.with_name(f"after-{uuid7()}")
    misbehaving_tasks.behaves.apply_async((str(after),))
    await eventually(lambda: times(after) == 1, WITHIN)
    return [text for text in channel.received if "chat.upkeep.comes_again" in text]


def handed_over() -> None:
    """What beat does every ten seconds."""
    from app.tasks import failures

    failures.run_again.apply_async()
