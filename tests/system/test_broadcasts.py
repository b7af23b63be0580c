"""A broadcast reaches each open socket of its audience once, and later sockets once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.domain.orm import uuid7
from app.settings import environment_for_child
from tests.support.client import Json, Person, Socket, eventually
from tests.support.operators import root
from tests.support.processes import ROOT
from tests.support.servers import count
from tests.system.conftest import Pair

SECONDS = 2.0
LAST = "That was all"
SOMETHING = {"title": "Maintenance", "text": "Away from 22:00 UTC.", "to": "everybody"}


@pytest.fixture
async def operator(pair: Pair, database_url: str) -> Person:
    return await root(pair.one, database_url)


async def announce(operator: Person, **fields: Any) -> Json:
    made: Json = (await operator.call("POST", "/ops/broadcasts/", SOMETHING | fields)).good(201)
    return made


def deliveries(socket: Socket, broadcast: Json) -> int:
    return sum(frame["id"] == broadcast["id"] for frame in socket.received("broadcast"))


async def greeted(operator: Person, person: Person) -> list[str]:
    """The ids of the broadcasts that a new socket receives, at a process that knows all of them so far."""
    async with operator.at(person.node).listening() as known:
        await received_by_now(operator, known)
    async with person.listening() as socket:
        return await received_by_now(operator, socket)


async def received_by_now(operator: Person, socket: Socket) -> list[str]:
    """The ids of the broadcasts a socket has received. They keep their order, so one sent now comes last."""
    last = await announce(operator, title=LAST)
    await socket.expect("broadcast", id=last["id"])
    return [frame["id"] for frame in socket.received("broadcast") if frame["title"] != LAST]


def seen(database_url: str, person: Person) -> int:
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        found = connection.execute("SELECT seen FROM broadcast_cursors WHERE user_id = %s", [person.id]).fetchone()
    return int(found[0]) if found else 0


async def cursor_at(database_url: str, person: Person, broadcast: Json) -> None:
    """Waits until the person's cursor covers this broadcast."""
    number = count(database_url, f"SELECT number FROM broadcasts WHERE id = '{broadcast['id']}'")
    await eventually(lambda: seen(database_url, person) >= number)


async def test_a_broadcast_reaches_every_socket_of_two_processes_once_within_two_seconds(
    pair: Pair, operator: Person
) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.two.register("Linus")
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(person.at(node).listening())
            for person in (ada, linus)
            for node in (pair.one, pair.two)
            for _ in range(3)
        ]
        made = await announce(operator)
        async with asyncio.timeout(SECONDS):
            frames = [await socket.expect("broadcast", id=made["id"]) for socket in sockets]
        assert frames[0] == {
            "type": "broadcast",
            "id": made["id"],
            "title": "Maintenance",
            "text": "Away from 22:00 UTC.",
            "sent_at": made["sent_at"],
        }
        for socket in sockets:
            assert await received_by_now(operator, socket) == [made["id"]]


async def test_a_later_socket_receives_a_broadcast_once_and_a_newer_account_does_not(
    pair: Pair, operator: Person, database_url: str
) -> None:
    ada = await pair.one.register("Ada")
    first, second = await announce(operator, title="First"), await announce(operator, title="Second")
    eve = await pair.one.register("Eve")
    async with ada.at(pair.two).listening() as socket:
        assert (await socket.expect("broadcast"))["id"] == first["id"]
        assert (await socket.expect("broadcast"))["id"] == second["id"]
        assert socket.frames[0]["type"] == "hello"
        await cursor_at(database_url, ada, second)
    assert await greeted(operator, ada) == []
    assert await greeted(operator, eve) == []


async def test_a_broadcast_that_one_device_received_is_not_sent_to_another(
    pair: Pair, operator: Person, database_url: str
) -> None:
    ada = await pair.one.register("Ada")
    phone = await pair.two.log_in(ada.email)
    async with ada.listening() as open_then:
        made = await announce(operator)
        await open_then.expect("broadcast", id=made["id"])
        await cursor_at(database_url, ada, made)
        assert await greeted(operator, phone) == []


async def test_only_the_audience_receives_a_broadcast(pair: Pair, operator: Person, database_url: str) -> None:
    ada, grace, linus, eve = [await pair.one.register(name) for name in ("Ada", "Grace", "Linus", "Eve")]
    group = await ada.converse(grace, linus)
    await linus.post(f"/conversations/{group}/leave_conversation/")
    async with AsyncExitStack() as stack:
        people = (ada, grace, linus, eve, operator)
        sockets = [await stack.enter_async_context(one.at(pair.two).listening()) for one in people]
        to_group = await announce(operator, to="conversations", conversations=[group, group])
        to_operators = await announce(operator, to="operators")
        to_all = await announce(operator)
        for socket in sockets:
            await socket.expect("broadcast", id=to_all["id"])
            await socket.settle()
        assert [deliveries(socket, to_group) for socket in sockets] == [1, 1, 0, 0, 0]
        assert [deliveries(socket, to_operators) for socket in sockets] == [0, 0, 0, 0, 1]
    assert to_group["conversations"] == [group]


async def test_a_member_who_joins_after_a_broadcast_does_not_receive_it(pair: Pair, operator: Person) -> None:
    ada, grace, eve = [await pair.one.register(name) for name in ("Ada", "Grace", "Eve")]
    group = await ada.converse(grace)
    made = await announce(operator, to="conversations", conversations=[group])
    await ada.post(f"/conversations/{group}/add_member/", user=eve.id)
    assert await greeted(operator, grace) == [made["id"]]
    assert await greeted(operator, eve) == []


async def test_a_canceled_or_expired_broadcast_is_no_longer_delivered(
    pair: Pair, operator: Person, database_url: str
) -> None:
    ada = await pair.one.register("Ada")
    canceled, expired = await announce(operator), await announce(operator)
    await operator.post(f"/ops/broadcasts/{canceled['id']}/cancel/")
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE broadcasts SET expires_at = now() WHERE id = %s", [expired["id"]])
    kept = await announce(operator)
    assert await greeted(operator, ada) == [kept["id"]]
    assert (await operator.get(f"/ops/broadcasts/{canceled['id']}/"))["state"] == "canceled"
    again = await operator.call("POST", f"/ops/broadcasts/{canceled['id']}/cancel/")
    assert again.problem.code == "already_canceled"
    entries = (await operator.get("/ops/audit/", subject=canceled["id"]))["items"]
    assert [(one["action"], one["by"]) for one in entries] == [
        ("broadcast.canceled", operator.id),
        ("broadcast.planned", operator.id),
    ]


async def test_a_user_after_a_long_absence_receives_the_newest_twenty_broadcasts(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    made = [await announce(operator, title=f"Number {number}") for number in range(22)]
    async with ada.listening() as socket:
        await eventually(lambda: len(socket.received("broadcast")) >= 20)
        assert await received_by_now(operator, socket) == [one["id"] for one in made[2:]]


async def test_a_planned_broadcast_waits_and_a_canceled_one_is_never_sent(pair: Pair, operator: Person) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await announce(operator, send_at=soon)
    assert (made["state"], made["sent_at"]) == ("planned", None)
    async with operator.listening() as socket:
        now = await announce(operator)
        await socket.expect("broadcast", id=now["id"])
        assert deliveries(socket, made) == 0
    await operator.post(f"/ops/broadcasts/{made['id']}/cancel/")
    shown = await operator.get(f"/ops/broadcasts/{made['id']}/")
    assert (shown["state"], shown["sent_at"]) == ("canceled", None)


def in_time(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"title": ""}, "invalid", "title"),
        ({"title": "two\nlines"}, "invalid", "title"),
        ({"title": "x" * 201}, "invalid", "title"),
        ({"text": " "}, "invalid", "text"),
        ({"text": "x" * 100_000}, "invalid", "text"),
        ({"text": "a\x00b"}, "invalid", "text"),
        ({"to": "nobody"}, "invalid", "to"),
        ({"to": "conversations"}, "invalid", "conversations"),
        ({"conversations": [str(uuid7())]}, "invalid", "conversations"),
        ({"to": "conversations", "conversations": [str(uuid7())]}, "unknown_conversation", "conversations"),
        ({"to": "conversations", "conversations": [str(uuid7()) for _ in range(51)]}, "invalid", "conversations"),
        ({"send_at": in_time(seconds=-30)}, "invalid", "send_at"),
        ({"send_at": in_time(days=366)}, "invalid", "send_at"),
        ({"send_at": "2126-05-04T09:00:00"}, "invalid", "send_at"),
        ({"expires_at": in_time(seconds=-1)}, "invalid", "expires_at"),
        ({"mails_per_second": 0}, "invalid", "mails_per_second"),
        ({"mails_per_second": 1_001}, "invalid", "mails_per_second"),
        ({"number": 1}, "invalid", "number"),
    ],
    ids=lambda value: "-".join(value)[:30] if isinstance(value, dict) else None,
)
async def test_an_invalid_broadcast_is_refused_and_changes_nothing(
    operator: Person, database_url: str, wrong: Json, code: str, field: str
) -> None:
    everything = "SELECT count(*) + (SELECT count(*) FROM audit_log) FROM broadcasts"
    before = count(database_url, everything)
    problem = (await operator.call("POST", "/ops/broadcasts/", SOMETHING | wrong)).problem
    assert (problem.status, problem.code, problem.fields) == (400, code, {field})
    assert count(database_url, everything) == before


async def test_a_broadcast_of_300_kb_is_413(operator: Person) -> None:
    answer = await operator.call("POST", "/ops/broadcasts/", SOMETHING | {"text": "x" * 300_000})
    assert answer.problem.status == 413


async def test_a_broadcast_to_a_deleted_conversation_is_refused(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    group = await ada.converse()
    (await ada.call("DELETE", f"/conversations/{group}/")).good(204)
    body = SOMETHING | {"to": "conversations", "conversations": [group]}
    assert (await operator.call("POST", "/ops/broadcasts/", body)).problem.code == "unknown_conversation"


async def test_at_most_a_hundred_broadcasts_are_planned_at_once(operator: Person, database_url: str) -> None:
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        connection.execute(
            "INSERT INTO broadcasts (id, title, text, audience, send_at, expires_at) SELECT gen_random_uuid(), 'many',"
            " 'x', 'operators', now() + interval '1 hour', now() + interval '2 hours' FROM generate_series(1, 100)"
        )
    try:
        answer = await operator.call("POST", "/ops/broadcasts/", SOMETHING | {"send_at": in_time(hours=1)})
        assert answer.problem.code == "too_many_broadcasts"
    finally:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            connection.execute("DELETE FROM broadcasts WHERE title = 'many'")


async def test_broadcasts_of_two_processes_are_delivered_in_order_of_their_numbers(
    pair: Pair, operator: Person, database_url: str
) -> None:
    """Sent at once from two processes and received on one socket: each arrives, none is skipped."""
    async with operator.listening() as socket:
        both = [operator.at(node) for node in (pair.one, pair.two)]
        made = await asyncio.gather(*(announce(both[at % 2], title=str(at)) for at in range(12)))
        await eventually(lambda: len(socket.received("broadcast")) >= len(made))
        ids = await received_by_now(operator, socket)
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        rows = connection.execute("SELECT id::text FROM broadcasts WHERE number IS NOT NULL ORDER BY number").fetchall()
    assert ids == [one for (one,) in rows if one in set(ids)]
    assert sorted(ids) == sorted(one["id"] for one in made)


async def test_operators_page_the_broadcasts_and_open_each(operator: Person) -> None:
    made = [await announce(operator, title=f"Page {number}") for number in range(3)]
    first = await operator.get("/ops/broadcasts/", limit=2)
    assert first["items"] == made[:0:-1]
    second = await operator.get("/ops/broadcasts/", limit=1, cursor=first["next"])
    assert second["items"] == [made[0]]
    assert await operator.get(f"/ops/broadcasts/{made[0]['id']}/") == made[0]
    assert (await operator.call("GET", f"/ops/broadcasts/{uuid7()}/")).problem.status == 404


async def test_the_command_sends_lists_and_cancels_broadcasts(pair: Pair, database_url: str, redis_url: str) -> None:
    environment = environment_for_child(DATABASE_URL=database_url, REDIS_URL=redis_url)

    def chat(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60)

    ada = await pair.one.register("Ada")
    async with ada.listening() as socket:
        done = await asyncio.to_thread(chat, "broadcast", "From the command", "--text", "Hello.")
        assert done.returncode == 0, done.stderr
        frame = await socket.expect("broadcast", title="From the command")
    assert frame["id"] in done.stdout
    for wrong in (["--to", "nobody"], ["--to", str(uuid7())], ["--at", "2020-05-04T09:00:00Z"]):
        refused = await asyncio.to_thread(chat, "broadcast", "No", "--text", "x", *wrong)
        assert refused.returncode == 1
        assert refused.stderr.startswith("chat: ")
    listed = await asyncio.to_thread(chat, "broadcasts")
    assert f"{frame['id']}  sent" in listed.stdout
    canceled = await asyncio.to_thread(chat, "broadcasts", "--cancel", frame["id"])
    assert f"{frame['id']}  canceled" in canceled.stdout
