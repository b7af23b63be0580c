"""The audit: each act of an admin or an operator leaves one immutable entry; sends leave none."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from app.db import Database, open_engine
from app.domain.audit import log
from app.domain.orm import uuid7
from app.settings import Settings, environment_for_child
from tests.support.client import PASSWORD, Json, Person
from tests.support.operators import root
from tests.support.processes import ROOT
from tests.support.servers import TestPostgres, count
from tests.system.conftest import Pair


@pytest.fixture
async def operator(pair: Pair, database_url: str) -> Person:
    return await root(pair.one, database_url)


@pytest.fixture
def connection(postgres: TestPostgres, database_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's: the triggers hold for all."""
    url = postgres.admin_url(database_url.rpartition("/")[2])
    with psycopg.connect(url, connect_timeout=3, autocommit=True) as opened:
        yield opened


async def audit(operator: Person, **query: object) -> list[Json]:
    """All that meets the filters, walked in small pages."""
    found: list[Json] = []
    page = await operator.get("/ops/audit/", limit=2, **query)
    while True:
        found += page["items"]
        if page["next"] is None:
            return found
        page = await operator.get("/ops/audit/", limit=2, cursor=page["next"], **query)


def summaries(entries: list[Json]) -> list[tuple[str, str, Json]]:
    return [(one["action"], one["subject"], one["details"]) for one in entries]


async def test_each_act_of_an_admin_is_recorded_once_and_listed_newest_first(pair: Pair, operator: Person) -> None:
    ada, grace, linus = [await pair.one.register(name) for name in ("Ada", "Grace", "Linus")]
    group = await ada.converse(grace, linus)
    said = (await linus.say(group, "never in the audit")).good(201)["id"]
    await ada.post(f"/conversations/{group}/make_admin/", user=grace.id)
    await ada.call("DELETE", f"/conversations/{group}/messages/{said}/")
    await ada.post(f"/conversations/{group}/remove_admin/", user=grace.id)
    await ada.post(f"/conversations/{group}/remove_member/", user=linus.id)
    await ada.call("DELETE", f"/conversations/{group}/")
    here = {"conversation": group}
    assert summaries(await audit(operator, by=ada.id)) == [
        ("conversation.deleted", group, {}),
        ("member.removed", linus.id, here),
        ("member.demoted", grace.id, here),
        ("message.deleted", linus.id, here | {"message": said}),
        ("member.promoted", grace.id, here),
    ]


async def test_refused_acts_and_acts_on_the_callers_own_data_leave_no_entry(pair: Pair, operator: Person) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    group = await ada.converse(linus)
    said = (await linus.say(group, "mine")).good(201)["id"]
    for path in ("make_admin", "remove_member"):
        answer = await linus.call("POST", f"/conversations/{group}/{path}/", {"user": ada.id})
        assert answer.problem.status == 403
    (await linus.call("DELETE", f"/conversations/{group}/messages/{said}/")).good(204)
    await linus.post(f"/conversations/{group}/leave_conversation/")
    assert await audit(operator, by=linus.id) == []
    assert await audit(operator, subject=linus.id) == []


async def test_filters_of_the_audit_combine(pair: Pair, operator: Person) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    group = await ada.converse(linus)
    before = datetime.now(UTC)
    await ada.post(f"/conversations/{group}/make_admin/", user=linus.id)
    between = (await audit(operator, by=ada.id))[0]["at"]
    await ada.post(f"/conversations/{group}/remove_admin/", user=linus.id)
    demoted, promoted = await audit(operator, by=ada.id)
    assert await audit(operator, subject=linus.id, action="member.promoted") == [promoted]
    assert await audit(operator, subject=linus.id, **{"from": between}) == [demoted, promoted]
    assert await audit(operator, subject=linus.id, to=between) == []
    assert await audit(operator, subject=linus.id, **{"from": between, "to": demoted["at"]}) == [promoted]
    assert await audit(operator, by=linus.id, subject=linus.id) == []
    tomorrow = (before + timedelta(days=1)).isoformat()
    assert await audit(operator, by=ada.id, **{"from": tomorrow}) == []


@pytest.mark.parametrize(
    "query",
    [
        {"action": "member.praised"},
        {"by": "root"},
        {"subject": "1"},
        {"from": "yesterday"},
        {"to": "2026-05-04T09:00:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"cursor": "eyJpZCI6IjAxOTk5N2IwIn0"},
        {"limit": "0"},
    ],
    ids=lambda query: next(iter(query)),
)
async def test_a_filter_that_makes_no_sense_is_refused_by_name(operator: Person, query: dict[str, str]) -> None:
    answer = await operator.call("GET", "/ops/audit/", params=query)
    assert answer.problem.status == 400
    assert answer.problem.fields == set(query)


async def test_only_logins_of_operators_are_recorded(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    await pair.one.log_in(ada.email)
    await pair.two.log_in(operator.email)
    assert summaries(await audit(operator, by=operator.id)) == [("operator.logged_in", operator.id, {})]
    assert await audit(operator, by=ada.id) == []


async def test_closing_an_account_is_recorded(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    (await ada.call("DELETE", "/me/", {"current_password": PASSWORD})).good(204)
    assert summaries(await audit(operator, subject=ada.id)) == [("account.closed", ada.id, {})]


def create_operator(email: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "app.cli", "create-operator", email]
    given = PASSWORD + "\n"
    made = subprocess.run(command, cwd=ROOT, env=environment, input=given, text=True, capture_output=True, timeout=60)
    assert made.returncode == 0, made.stderr


async def test_the_command_that_makes_operators_is_recorded(pair: Pair, operator: Person, settings: Settings) -> None:
    ada = await pair.one.register("Ada")
    environment = environment_for_child(DATABASE_URL=settings.database_url, REDIS_URL=settings.redis_url)
    for email in (ada.email, f"new.{uuid7()}@example.org"):
        await asyncio.to_thread(create_operator, email, environment)
    new, existing = (await operator.get("/ops/audit/", action="operator.created", limit=2))["items"]
    assert (new["by"], new["details"]) == (None, {"account": "new"})
    assert (existing["by"], existing["subject"], existing["details"]) == (None, ada.id, {"account": "existing"})


async def test_a_send_writes_nothing_to_the_audit(pair: Pair, database_url: str) -> None:
    ada, linus = await pair.one.register("Ada"), await pair.one.register("Linus")
    group = await ada.converse(linus)
    for text in ("one", "two"):
        (await ada.say(group, text)).good(201)
    mine = f"'{ada.id}', '{linus.id}'"
    assert count(database_url, f"SELECT count(*) FROM audit_log WHERE by IN ({mine}) OR subject IN ({mine})") == 0


async def test_an_act_and_its_entry_share_a_transaction(database_url: str) -> None:
    database = Database(open_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1), pool_size=1))
    one = uuid7()
    try:
        with suppress(ZeroDivisionError):
            async with database.transaction() as session:
                await log.record_action(session, by=one, action="policy.changed")
                raise ZeroDivisionError
    finally:
        await database.close()
    assert count(database_url, f"SELECT count(*) FROM audit_log WHERE by = '{one}'") == 0


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE audit_log SET by = NULL WHERE id = %(id)s",
        "DELETE FROM audit_log WHERE id = %(id)s",
        "TRUNCATE audit_log",
        "SET session_replication_role = replica; DELETE FROM audit_log",
        "INSERT INTO audit_log (id, action) VALUES (%(id)s, '') ON CONFLICT (id) DO UPDATE SET action = ''",
    ],
)
def test_no_statement_changes_an_audit_entry(connection: psycopg.Connection, how: str) -> None:
    one = noted(connection, "1 day")
    with pytest.raises(errors.InsufficientPrivilege):
        psycopg.ClientCursor(connection).execute(how, {"id": one})
    assert connection.execute("SELECT action FROM audit_log WHERE id = %s", [one]).fetchone() == ("policy.changed",)


async def test_the_sweep_deletes_only_entries_older_than_their_retention(
    connection: psycopg.Connection, database_url: str
) -> None:
    old, kept, young = noted(connection, "400 days"), noted(connection, "300 days"), noted(connection, "29 days")
    database = Database(open_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1), pool_size=1))
    try:
        for days, left in ((365, [kept, young]), (30, [young]), (1, [young])):
            async with database.transaction() as session:
                await log.sweep(session, timedelta(days=days))
            ids = connection.execute("SELECT id FROM audit_log WHERE id = ANY(%s) ORDER BY at", [[old, kept, young]])
            assert [one for (one,) in ids] == left
    finally:
        await database.close()


def test_each_filter_has_an_index(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for condition in (f"by = '{uuid7()}'", f"subject = '{uuid7()}'", "action = 'task.retried'", "true"):
            rows = connection.execute(
                f"EXPLAIN SELECT * FROM audit_log WHERE {condition} AND at < now() ORDER BY at DESC, id DESC LIMIT 51"
            )
            plan = "\n".join(line for (line,) in rows)
            name = condition.partition(" ")[0].replace("true", "at")
            assert f"Scan Backward using ix_audit_log_{name}" in plan, plan
            assert "Sort" not in plan


def noted(connection: psycopg.Connection, ago: str) -> object:
    """An entry of that long ago; its id."""
    row = connection.execute(
        "INSERT INTO audit_log (id, at, action) VALUES (%s, now() - %s::interval, 'policy.changed') RETURNING id",
        [uuid7(), ago],
    ).fetchone()
    assert row
    return row[0]


async def test_lookups_of_operators_are_recorded_without_the_search_text(pair: Pair, operator: Person) -> None:
    ada = await pair.one.register("Ada")
    group = await ada.converse()
    await operator.get("/ops/users/", search=ada.email)
    await operator.get("/ops/users/", search=ada.id)
    await operator.get("/ops/users/", search="nobody of this name")
    await operator.get("/ops/conversations/", search=group)
    assert summaries(await audit(operator, by=operator.id))[:4] == [
        ("conversations.looked_up", group, {"search": "id", "found": 1}),
        ("accounts.looked_up", None, {"search": "name", "found": 0}),
        ("accounts.looked_up", ada.id, {"search": "id", "found": 1}),
        ("accounts.looked_up", ada.id, {"search": "email", "found": 1}),
    ]
