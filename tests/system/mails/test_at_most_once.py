"""A mail is sent at most once despite crashes and duplicate tasks; a refused one is retried, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Interval, literal, select, update

from app.db import Database, open_engine
from app.domain.mails import outbox
from app.domain.mails.models import Mail
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.orm import uuid7
from app.domain.throttling.usage_counts import Subjects
from app.local.processes import free_port
from app.redis.client import RedisClient
from app.store.cache_rebuild import RebuildResult
from app.tasks import mail as mails
from app.tasks.context import NoticeSettings, TaskContext
from app.tasks.letters.renderer import MailRenderer
from app.tasks.mail_transport import open_transport
from app.throttling.usage_mover import UsageMover
from app.wiring import make_celery
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.nodes import eventually
from tests.support.processes import Process
from tests.support.servers import count, run_valkey
from tests.support.web import API, running
from tests.system.mails.conftest import PUBLIC_URL, Place

WHO = "ada@example.org"
SENT = "SELECT count(*) FROM mails WHERE id = '{}' AND outcome = 'sent'"


class Desk:
    """Tasks run by hand, on a mail server of their own."""

    def __init__(self, database: Database, mailboxes: Mailboxes, port: int) -> None:
        self.database = database
        self.mailboxes = mailboxes
        self.port = port
        self.context = TaskContext(
            database=database,
            rebuild_cache=_nothing,
            sweep_caches=_unswept,
            transport=open_transport(f"smtp://127.0.0.1:{port}", Path("unused")),
            renderer=MailRenderer(PUBLIC_URL, "chat@example.org"),
            notices=NoticeSettings(
                after=timedelta(0),
                quiet=timedelta(0),
                online=_nobody,
                deliver=_unheard,
                unsubscribe_tokens=UnsubscribeTokens("x"),
            ),
            audit=timedelta(days=365),
            usage_mover=UsageMover(RedisClient("redis://127.0.0.1:9/0")),
            subjects=Subjects("x"),
        )

    async def write(self) -> UUID:
        async with self.database.transaction() as session:
            await outbox.post(session, "welcome", WHO, first_name="Ada")
            return (await session.scalars(select(Mail.id).order_by(Mail.id.desc()).limit(1))).one()

    async def send(self, mail: UUID) -> str:
        return await mails._send(self.context, mail)

    async def outcome(self, mail: UUID) -> str | None:
        async with self.database.transaction() as session:
            found = await session.get_one(Mail, mail)
            assert found.outcome is None or (found.address, found.facts) == ("", {})
            return found.outcome

    async def age(self, mail: UUID, seconds: float) -> None:
        """As if that much time had passed."""
        async with self.database.transaction() as session:
            await session.execute(
                update(Mail)
                .where(Mail.id == mail)
                .values(
                    due_at=Mail.due_at - literal(timedelta(seconds=seconds), Interval),
                    claimed_at=Mail.claimed_at - literal(timedelta(seconds=seconds), Interval),
                )
            )

    async def overlooked(self) -> list[UUID]:
        return await mails._overlooked(self.context)


async def _unswept(looked: int, repaired: int) -> RebuildResult:
    raise AssertionError("no test here sweeps")


async def _nothing(_: UUID) -> int:
    return 0


async def _nobody(_: object) -> set[UUID]:
    return set()


async def _unheard(_: object) -> None:
    """Accepts an event without delivering it."""


@contextmanager
def killed_after(worker: Process) -> Iterator[Process]:
    try:
        yield worker
    finally:
        worker.end()


@pytest.fixture
def server() -> Iterator[tuple[Mailboxes, int]]:
    with mail_server() as running:
        yield running


@pytest.fixture
async def desk(place: Place, server: tuple[Mailboxes, int]) -> AsyncIterator[Desk]:
    make_celery(place.settings)  # the tasks count their mails in its broker
    database = Database(open_engine(place.settings.libpq_url, pool_size=8))
    yield Desk(database, *server)
    await database.close()


async def test_a_task_delivered_twice_sends_one_mail(desk: Desk) -> None:
    mail = await desk.write()
    outcomes = await asyncio.gather(*(desk.send(mail) for _ in range(5)))
    assert sorted(outcomes) == ["not due"] * 4 + ["sent"]
    assert await desk.send(mail) == "not due"
    assert len(desk.mailboxes.to(WHO)) == 1
    assert await desk.outcome(mail) == "sent"


async def test_a_refused_mail_is_retried_and_given_up_after_the_last_attempt(desk: Desk) -> None:
    mail = await desk.write()
    desk.mailboxes.answers = ["450 later"] * 2
    assert await desk.send(mail) == "postponed"
    assert await desk.send(mail) == "not due"
    for pause in (30, 120):
        await desk.age(mail, pause - 3)
        assert await desk.send(mail) == "not due"
        await desk.age(mail, 3)
        expected = "postponed" if pause == 30 else "sent"
        assert await desk.send(mail) == expected
    assert len(desk.mailboxes.to(WHO)) == 1

    never = await desk.write()
    desk.mailboxes.answers = ["450 later"] * 50
    for _ in range(outbox.MAX_ATTEMPTS):
        await desk.age(never, 10_000)
        assert await desk.send(never) == "postponed"
    assert await desk.outcome(never) == "failed"


async def test_a_mail_with_an_unknown_outcome_is_never_sent_again(desk: Desk) -> None:
    mail = await desk.write()
    desk.mailboxes.answers = ["hang up"]
    assert await desk.send(mail) == "unknown"
    await desk.age(mail, 10_000)
    assert mail not in await desk.overlooked()
    assert desk.mailboxes.attempts == 1


async def test_a_mail_whose_task_was_lost_is_found_and_a_dead_claim_is_not(desk: Desk) -> None:
    lost, dead = await desk.write(), await desk.write()
    assert lost not in await desk.overlooked()
    async with desk.database.transaction() as session:
        assert await outbox.claim(session, dead)
    for mail in (lost, dead):
        await desk.age(mail, 10)
    found = await desk.overlooked()
    assert lost in found
    assert dead not in found
    assert await desk.outcome(dead) is None
    await desk.age(dead, 300)
    assert dead not in await desk.overlooked()
    assert await desk.outcome(dead) == "unknown"


async def test_settled_mails_are_deleted_after_a_week(desk: Desk) -> None:
    old, young = await desk.write(), await desk.write()
    for mail in (old, young):
        await desk.send(mail)
    async with desk.database.transaction() as session:
        await session.execute(
            update(Mail)
            .where(Mail.id == old)
            .values(settled_at=Mail.settled_at - literal(outbox.RETENTION + timedelta(seconds=1), Interval))
        )
    async with desk.database.transaction() as session:
        assert await outbox.sweep(session) >= 1  # other tests have mails of their own
    async with desk.database.transaction() as session:
        assert set(await session.scalars(select(Mail.id).where(Mail.id.in_([old, young])))) == {young}


@pytest.mark.fault
async def test_a_worker_killed_while_sending_sends_no_mail_twice(desk: Desk, place: Place) -> None:
    """It has the claim and the server's ear when it dies; its task comes back to another worker."""
    desk.mailboxes.answers = ["wait"]
    mail, other = await desk.write(), await desk.write()
    with run_valkey() as broker:  # the other tests' worker takes nothing from it
        make_celery(msgspec.structs.replace(place.settings, redis_url=broker.url))
        start = partial(place.processes.worker, SMTP_URL=f"smtp://127.0.0.1:{desk.port}", REDIS_URL=broker.url)
        with killed_after(start()) as worker:
            mails.send_mail.apply_async((str(mail),))
            await eventually(lambda: desk.mailboxes.attempts == 1, 20)
            worker.end()
        desk.mailboxes.released.set()
        with killed_after(start()):
            for one in (mail, other):
                mails.send_mail.apply_async((str(one),))
            await desk.mailboxes.wait_for(WHO, number=2)
            await eventually(lambda: count(place.settings.libpq_url, SENT.format(other)) == 1)
    assert desk.mailboxes.attempts == 2
    assert await desk.outcome(mail) is None
    await desk.age(mail, 300)
    await desk.overlooked()
    assert await desk.outcome(mail) == "unknown"


async def test_a_mail_written_while_the_broker_was_away_is_sent_later(desk: Desk) -> None:
    """The request wrote a row; the sweep finds it."""
    mail = await desk.write()
    await desk.age(mail, 60)
    for found in await desk.overlooked():
        if found == mail:
            assert await desk.send(found) == "sent"

    assert len(desk.mailboxes.to(WHO)) == 1


async def test_a_request_succeeds_quickly_without_the_broker(desk: Desk, place: Place) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    without = msgspec.structs.replace(place.settings, redis_url=nowhere, cache_redis_url=nowhere)
    who = f"{uuid7()}@example.org"
    async with running(without) as api:
        for _ in range(2):
            async with asyncio.timeout(2):
                answer = await api.post(f"{API}/forgot-password/", json={"email": who})
            assert answer.status_code == 204
    posted = f"SELECT count(*) FROM mails WHERE address = '{who}' AND kind = 'forgotten_password'"
    assert count(place.settings.libpq_url, posted) == 2
