"""What `chat queues` says of beat, mails and failed tasks, and when that is a failure."""

from __future__ import annotations

import time

import msgspec
import pytest
import redis

from app.domain.jobs.schemas import MailFailure, QueueReport, QueueStats
from app.domain.operators.backlog import Backlog
from app.settings import Settings
from app.tasks import task_stats
from app.tasks.queue_stats import is_healthy, read_stats, table
from app.wiring import make_celery

NOTHING = Backlog(mails_waiting=0, mails_postponed=0, oldest=None, failed_tasks=0)


@pytest.mark.parametrize(
    ("seconds", "line", "healthy"),
    [
        (29.0, "beat: seen 29 s ago", True),
        (75.0, "beat: seen 75 s ago; is `chat beat` running?", False),
        (None, "beat: no sign yet; is `chat beat` running?", False),
    ],
)
def test_an_old_sign_of_beat_is_a_failure(seconds: float | None, line: str, healthy: bool) -> None:
    stats = QueueStats(
        QueueReport(queues=[], workers=["celery@one"]), {}, {}, mails={}, beat=seconds, mail_failure=None
    )
    assert line in table(stats, NOTHING).splitlines()
    assert is_healthy(stats, NOTHING) is healthy


def test_mails_and_failed_tasks_are_shown_with_the_mail_servers_error() -> None:
    failure = MailFailure(time.time() - 20, "ConnectionRefusedError: [Errno 111] Connection refused")
    stats = QueueStats(QueueReport(queues=[], workers=["celery@one"]), {}, {}, mails={}, beat=1.0, mail_failure=failure)
    lines = table(stats, Backlog(mails_waiting=12, mails_postponed=3, oldest=95.0, failed_tasks=2)).splitlines()
    assert (
        "mails: 12 waiting, the oldest for 95 s, 3 of them postponed; the mail server failed 20 s ago: "
        "ConnectionRefusedError: [Errno 111] Connection refused"
    ) in lines
    assert "failed tasks: 2; see `chat tasks failed`" in lines
    without = table(stats, None).splitlines()
    assert "database: does not answer" in without
    assert not is_healthy(stats, None)
    idle = QueueStats(QueueReport(queues=[], workers=[]), {}, {}, mails={}, beat=1.0, mail_failure=None)
    assert "mails: 0 waiting" in table(idle, NOTHING).splitlines()


def test_the_last_error_of_the_mail_server_names_no_recipient_and_goes_with_the_next_mail(
    settings: Settings, empty_redis_url: str
) -> None:
    celery = make_celery(msgspec.structs.replace(settings, redis_url=empty_redis_url))
    task_stats.count_mail(celery, "postponed", "450 <ada@example.org>: mailbox busy")
    found = read_stats(empty_redis_url)
    assert found.mail_failure is not None
    assert found.mail_failure.why == "450 … mailbox busy"
    task_stats.count_mail(celery, "written")
    assert read_stats(empty_redis_url).mail_failure is not None, "a file proves nothing about the server"
    task_stats.count_mail(celery, "sent")
    found = read_stats(empty_redis_url)
    assert found.mail_failure is None
    assert found.mails == {"postponed": 1, "written": 1, "sent": 1}


@pytest.mark.parametrize(
    ("recent", "sentence"),
    [
        ({"sent": 40, "refused": 4}, ""),
        ({"sent": 35, "refused": 4}, "refused 4 of 39 mails in the last hour"),
        ({"refused": 1, "postponed": 9}, "refused 1 of 1 mails in the last hour"),
        ({"sent": 3}, ""),
    ],
)
def test_a_mail_server_that_refuses_more_than_mistyped_addresses_is_named(
    recent: dict[str, int], sentence: str
) -> None:
    report = QueueReport(queues=[], workers=["celery@one"])
    stats = QueueStats(report, {}, {}, mails={}, beat=1.0, mail_failure=None, recent_mails=recent)
    assert stats.mails_refused == sentence
    added = f"; the mail server {sentence}; see `chat mails --state refused`" if sentence else ""
    assert f"mails: 0 waiting{added}" in table(stats, NOTHING).splitlines()


def test_mails_are_counted_by_the_hour_and_not_among_the_tasks(settings: Settings, empty_redis_url: str) -> None:
    celery = make_celery(msgspec.structs.replace(settings, redis_url=empty_redis_url))
    for outcome in ("refused", "refused", "sent"):
        task_stats.count_mail(celery, outcome)
    found = read_stats(empty_redis_url)
    assert found.recent_mails == {"refused": 2, "sent": 1}
    assert found.totals == {}
    with redis.Redis.from_url(empty_redis_url, socket_timeout=5) as client:
        (minute,) = client.scan_iter("chat:work:minute:*")
        assert 3_600 < client.ttl(minute) <= 7_200


@pytest.mark.parametrize(
    ("setting", "value", "error"),
    [("maxmemory", "1", redis.OutOfMemoryError), ("min-replicas-to-write", "1", redis.ResponseError)],
)
def test_a_redis_that_accepts_no_writes_has_no_statistics(
    empty_redis_url: str, setting: str, value: str, error: type[Exception]
) -> None:
    assert read_stats(empty_redis_url).report.workers == []
    with redis.Redis.from_url(empty_redis_url, socket_timeout=5) as client:
        before = client.config_get(setting)
        client.config_set(setting, value)
        try:
            with pytest.raises(error):
                read_stats(empty_redis_url)
        finally:
            client.config_set(setting, before[setting])
    read_stats(empty_redis_url)
