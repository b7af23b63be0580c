"""Faults of what happens afterwards: workers that die in the middle of a task, tasks that come twice, two beats."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import httpx
import psutil
import psycopg
import redis

from app.tasks import celery_app, task_stats
from tests.support.processes import Process
from tests.system.chaos.record import NotFired
from tests.system.chaos.stage import Stage

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver

MAIL: Final = "chat.notifications.mail"
QUEUE: Final = "notifications"
COPIES: Final = 4
HELD_SECONDS: Final = 4.0
"""With the patience of a suite, less than the mail server keeps a letter waiting."""
TAKEN_SECONDS: Final = 0.7
TRIES: Final = 30
BEGUN_SECONDS: Final = 15.0
DONE_SECONDS: Final = 20.0
PERIODIC_SECONDS: Final = 10.0
BEATS_SECONDS: Final = 15.0
"""The most frequent of the periodic tasks come every 5 s, first 5 s after a beat has begun."""
_numbers = itertools.count(1)


async def worker_killed(driver: Driver) -> None:
    """kill -9 of a worker with all its processes, while the mail server has a letter and has not answered."""
    await _until_a_letter_waits(driver)
    worker = driver.stage.worker
    assert worker is not None
    await driver.stage.do(worker.end)
    driver.stage.mailboxes.released.set()
    await driver.stage.do(driver.stage.start_worker)
    await _is_done_again(driver)


async def periodic_tasks_run(driver: Driver) -> None:
    """One that comes every five seconds is done again: its period, and a moment for the way back to the broker."""
    before = await asyncio.to_thread(_rounds, driver.stage)
    end = time.monotonic() + PERIODIC_SECONDS * driver.record.patience
    while await asyncio.to_thread(_rounds, driver.stage) <= before:
        if time.monotonic() > end:
            driver.problem(f"I9: {PERIODIC_SECONDS:.0f} s after the last fault no periodic task has run")
            return
        await asyncio.sleep(0.1)


async def task_killed(driver: Driver) -> None:
    """kill -9 of the processes in which the worker runs its tasks: it finds out, and has the task done once more."""
    await _until_a_letter_waits(driver)
    worker = driver.stage.worker
    assert worker is not None
    for child in psutil.Process(worker.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            child.kill()
    driver.stage.mailboxes.released.set()
    await _is_done_again(driver)


async def delivered_again(driver: Driver) -> None:
    """The broker gives out the tasks of mails that are just being sent once more, four times each."""
    await _until_a_letter_waits(driver)
    mails = await asyncio.to_thread(_unsettled, driver.stage.url)
    if not mails:
        raise NotFired
    await asyncio.to_thread(_deliver, driver.stage, mails * COPIES)
    # The other process of the worker takes them while this one still waits for the mail server's answer.
    taken = await _until_taken(driver, HELD_SECONDS)
    driver.stage.mailboxes.released.set()
    if not taken and not await _until_taken(driver, DONE_SECONDS):
        driver.problem("I9: tasks that were delivered again are still waiting")


async def _until_taken(driver: Driver, seconds: float) -> bool:
    """Whether the queue is empty before so many seconds are over; a moment more for who has taken the last ones."""
    end = time.monotonic() + seconds * driver.record.patience
    while await asyncio.to_thread(_waiting, driver.stage):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    await asyncio.sleep(TAKEN_SECONDS)
    return True


async def two_beats(driver: Driver) -> None:
    """Every periodic task comes twice."""
    beat = await driver.stage.do(driver.stage.start_beat)
    try:
        end = time.monotonic() + BEATS_SECONDS * driver.record.patience
        # It connects when it has something to send.
        while not _speaks_to(beat, driver.stage.valkey.port):
            if time.monotonic() > end:
                raise NotFired
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    finally:
        await driver.stage.do(beat.end)


def _speaks_to(process: Process, port: int) -> bool:
    connections = psutil.Process(process.process.pid).net_connections()
    return any(bool(one.raddr) and one.raddr[1] == port for one in connections)


async def _until_a_letter_waits(driver: Driver) -> None:
    mailboxes = driver.stage.mailboxes
    mailboxes.released.clear()
    before = mailboxes.waiting
    mailboxes.answers.append("wait")
    await _newcomer(driver)
    end = time.monotonic() + BEGUN_SECONDS * driver.record.patience
    while mailboxes.waiting == before:
        if time.monotonic() > end:
            mailboxes.answers.clear()
            raise NotFired
        await asyncio.sleep(0.02)


async def _is_done_again(driver: Driver) -> None:
    """A mail that is posted now is sent soon."""
    person = await _newcomer(driver)
    (mail, *_) = await asyncio.to_thread(_mails_of, driver.stage.url, person)
    end = time.monotonic() + DONE_SECONDS * driver.record.patience
    while not any(mail in str(letter["Message-ID"]) for _, letter in driver.stage.mailboxes.letters):
        if time.monotonic() > end:
            driver.problem(f"I9: {DONE_SECONDS:.0f} s after a worker was killed no mail is sent")
            return
        await asyncio.sleep(0.05)


async def _newcomer(driver: Driver) -> str:
    """Registers a user, who must receive a mail."""
    for _ in range(TRIES):
        with suppress(AssertionError, httpx.HTTPError):
            return (await driver.some_place().node.register(f"New{next(_numbers)}")).id
        await asyncio.sleep(0.1)
    raise NotFired


def _mails_of(url: str, person: str) -> list[str]:
    with psycopg.connect(url, connect_timeout=3) as connection:
        rows = connection.execute("SELECT id::text FROM mails WHERE user_id = %s ORDER BY id", [person]).fetchall()
    return [mail for (mail,) in rows]


def _unsettled(url: str) -> list[str]:
    """The newest of them are in progress; the workers that had claimed the older ones may have been killed."""
    with psycopg.connect(url, connect_timeout=3) as connection:
        rows = connection.execute(
            "SELECT id::text FROM mails WHERE outcome IS NULL ORDER BY id DESC LIMIT 5"
        ).fetchall()
    return [mail for (mail,) in rows]


def _deliver(stage: Stage, mails: list[str]) -> None:
    celery = celery_app.make(stage.valkey.url)
    for mail in mails:
        celery.signature(MAIL, args=(mail,)).apply_async(retry=False)
    celery.close()


def _rounds(stage: Stage) -> int:
    """How many tasks of the queue `broadcasts` are done: one of them comes every five seconds, and no other."""
    with redis.Redis.from_url(stage.valkey.url, socket_timeout=3) as client:
        return task_stats.read(client).totals["broadcasts", "done"]


def _waiting(stage: Stage) -> int:
    with redis.Redis.from_url(stage.valkey.url, socket_timeout=3) as client:
        return int(client.llen(QUEUE))
