"""The list of failed tasks: bounded for each task, a row for each, and nothing in it that stops the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from celery import Celery
from sqlalchemy import select, update

from app.db import Database, open_engine
from app.domain.jobs import failed_tasks
from app.domain.jobs.failed_tasks import Failure
from app.domain.jobs.models import FailedTaskRow
from app.settings import Settings
from app.tasks import celery_app
from app.tasks.task_classes import PeriodicTask
from app.wiring import make_celery
from tests.support.client import Person, eventually
from tests.support.places import Place
from tests.tasks.test_failures import WITHIN, handed_over


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    opened = Database(open_engine(place.settings.libpq_url, pool_size=2))
    yield opened
    await opened.close()


def failure(task: str, argument: str) -> Failure:
    return Failure(
        task=task, arguments=f'["{argument}"]', queue="cache", reason="failed", error="E", worker="w", attempts=6
    )


async def note(database: Database, task: str, argument: str) -> bool:
    async with database.transaction() as session:
        return await failed_tasks.record_failure(session, failure(task, argument))


async def rows(database: Database, task: str) -> list[FailedTaskRow]:
    async with database.transaction() as session:
        found = await session.scalars(
            select(FailedTaskRow).where(FailedTaskRow.task == task).order_by(FailedTaskRow.id)
        )
        return list(found)


def test_periodic_tasks_are_tried_once(settings: Settings) -> None:
    celery: Celery = make_celery(settings)
    celery.loader.import_default_modules()
    jobs = [name for name in celery_app.PERIODIC if not isinstance(celery.tasks[name], PeriodicTask)]
    assert jobs == []


async def test_one_kind_of_task_crowds_out_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_tasks, "MAX_OPEN_PER_TASK", 3)
    assert [await note(database, "chat.cache.many", str(number)) for number in range(5)] == [True] * 3 + [False] * 2
    assert await note(database, "chat.cache.other", "1")
    # What has its row is counted in it still.
    assert await note(database, "chat.cache.many", "0")
    assert [row.times for row in await rows(database, "chat.cache.many")] == [2, 1, 1]


async def test_a_task_that_fails_again_before_its_retry_is_still_retried(database: Database) -> None:
    await note(database, "chat.cache.meanwhile", "1")
    (row,) = await rows(database, "chat.cache.meanwhile")
    async with database.transaction() as session:
        await failed_tasks.request_retry(session, row.id, by=None)
    await note(database, "chat.cache.meanwhile", "1")
    (row,) = await rows(database, "chat.cache.meanwhile")
    assert row.asked_at is not None
    assert row.times == 2
    async with database.transaction() as session:
        await session.execute(update(FailedTaskRow).where(FailedTaskRow.id == row.id).values(asked_at=None))


async def test_a_task_of_another_release_does_not_stop_the_others(database: Database, operator: Person) -> None:
    requested: list[UUID] = []
    for task in ("chat.cache.renamed", "chat.cache.rebuild"):
        await note(database, task, "0199a7b0-7000-7000-8000-000000000001")
        (row,) = await rows(database, task)
        requested.append(row.id)
    for one in requested:
        (await operator.call("POST", f"/ops/tasks/failed/{one}/retry/")).good(202)
    handed_over()

    async def done() -> bool:
        (renamed,), (rebuild,) = await rows(database, "chat.cache.renamed"), await rows(database, "chat.cache.rebuild")
        return renamed.reason == "refused" and renamed.asked_at is None and rebuild.retried_at is not None

    await eventually(done, WITHIN)
