"""What the broker and Postgres say is read once for many scrapes, and a silent server delays no scrape for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.domain.error_catalogue import broker_unavailable, database_unavailable
from app.domain.jobs.schemas import MailFailure, QueueReport, QueueState, QueueStats
from app.domain.operators.backlog import Backlog
from app.telemetry import background_metrics
from app.telemetry.background_metrics import BackgroundMetrics

QUEUE = QueueState(name="upkeep", waiting=2, oldest=7.0, running=1, per_minute=1.0, retried=0, failed=0)
STATS = QueueStats(
    QueueReport(queues=[QUEUE], workers=["celery@one"]),
    {("upkeep", "done"): 5},
    {"warmed": 1},
    mails={"sent": 3, "postponed": 2},
    beat=4.0,
    mail_failure=MailFailure(at=0.0, why="ConnectionRefusedError"),
)
BACKLOG = Backlog(mails_waiting=4, mails_postponed=2, oldest=60.0, failed_tasks=1)


def answering(value: object) -> Callable[[], Awaitable[object]]:
    async def read() -> object:
        if isinstance(value, Exception):
            raise value
        return value

    return read


async def figures(metrics: BackgroundMetrics) -> dict[str, float]:
    await metrics.refresh()
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = [line.rpartition(" ") for line in generate_latest(registry).decode().splitlines()]
    return {name: float(value) for name, _, value in lines if name and not name.startswith("#")}


def made(stats: object, backlog: object) -> BackgroundMetrics:
    return BackgroundMetrics(answering(stats), answering(backlog))  # type: ignore[arg-type]


async def test_all_figures_are_shown() -> None:
    assert await figures(made(STATS, BACKLOG)) == {
        "chat_broker_up": 1,
        "chat_database_up": 1,
        'chat_queue_waiting{queue="upkeep"}': 2,
        'chat_queue_oldest_seconds{queue="upkeep"}': 7,
        'chat_queue_running{queue="upkeep"}': 1,
        'chat_tasks_total{outcome="done",queue="upkeep"}': 5,
        "chat_workers": 1,
        "chat_beat_last_seconds": 4,
        'chat_cache_upkeep_total{why="warmed"}': 1,
        'chat_mails_total{outcome="postponed"}': 2,
        'chat_mails_total{outcome="sent"}': 3,
        "chat_mail_server_failing": 1,
        "chat_mails_waiting": 4,
        "chat_mails_postponed": 2,
        "chat_mails_oldest_seconds": 60,
        "chat_failed_tasks": 1,
    }


async def test_an_unavailable_server_is_down_and_its_figures_are_missing() -> None:
    without_broker = await figures(made(broker_unavailable(), BACKLOG))
    assert without_broker["chat_broker_up"] == 0
    assert without_broker["chat_mails_waiting"] == 4
    assert "chat_workers" not in without_broker
    without_database = await figures(made(STATS, database_unavailable()))
    assert without_database["chat_database_up"] == 0
    assert without_database["chat_workers"] == 1
    assert "chat_mails_waiting" not in without_database


async def test_an_unknown_sign_of_beat_is_missing_and_not_zero() -> None:
    unknown = QueueStats(STATS.report, {}, {}, mails={}, beat=None, mail_failure=None)
    found = await figures(made(unknown, BACKLOG))
    assert "chat_beat_last_seconds" not in found
    assert found["chat_mail_server_failing"] == 0


async def test_a_server_that_does_not_answer_is_down_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_metrics, "READ_SECONDS", 0.02)
    monkeypatch.setattr(background_metrics, "FRESH_SECONDS", 0.0)
    begun, answer = [], asyncio.Event()

    async def silent() -> Backlog:
        begun.append(1)
        await answer.wait()
        return BACKLOG

    metrics = BackgroundMetrics(answering(STATS), silent)  # type: ignore[arg-type]
    for _ in range(3):
        assert (await figures(metrics))["chat_database_up"] == 0
    assert len(begun) == 1
    answer.set()
    assert (await figures(metrics))["chat_database_up"] == 1
    answer.clear()
    assert (await figures(metrics))["chat_database_up"] == 0
    metrics.stop()
