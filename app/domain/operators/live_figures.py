"""The figures of the whole deployment at one moment: what `GET /ops/live` returns and `chat live` prints."""

from __future__ import annotations

from datetime import datetime

from app.domain.jobs.schemas import QueueState
from app.domain.schemas import View


class DeliveryFigures(View, frozen=True, kw_only=True):
    """Messages delivered to the sockets of a process in the last minute, and the milliseconds from the row's `sent_at`
    to that. Where several messages are written together the newest is measured. The clocks of the machines must agree.

    `p50` and `p99` are null if nothing was delivered. They are interpolated in a histogram; 10,000 may mean more.
    """

    measured: int
    p50: float | None
    p99: float | None


class CacheFigures(View, frozen=True, kw_only=True):
    """Pages of messages read in the last minute, and how many of them the cache served. `share` is null if none was."""

    reads: int
    hits: int
    share: float | None


class PostgresFigures(View, frozen=True, kw_only=True):
    """`up`: it answers and accepts writes. Connections of all API processes: those that they may open, those in use,
    and callers that wait for one."""

    up: bool
    connections: int
    in_use: int
    waiting: int


class RedisFigures(View, frozen=True, kw_only=True):
    """`up`: the Redis of cache and live events answers. `broker_up`: that of the queues accepts writes. `failures`:
    calls of API processes that failed in the last minute."""

    up: bool
    broker_up: bool
    failures: int


class MailFigures(View, frozen=True, kw_only=True):
    """`oldest` is in seconds. `failing`: the mail server's last answer was an error; null if the broker is silent."""

    waiting: int
    postponed: int
    oldest: float | None
    failing: bool | None


class LiveFigures(View, frozen=True, kw_only=True):
    """`processes`: the API processes that reported in the last 15 seconds. `complete` is false if the Redis through
    which they report does not answer: then the figures are those of the process that answers, or of none.

    `sends_per_second` and `frames_per_second` are of the last ten to fifteen seconds, `repairs` (rooms that missed
    events, by outcome) and `throttled` (refusals) of the last minute. `queues`, `workers` and `beat` (seconds since its
    last sign) are null if the broker does not answer, `failed_tasks` and `mails` if Postgres does not.
    """

    at: datetime
    complete: bool
    processes: int
    sockets: int
    sends_per_second: float
    frames_per_second: float
    delivery: DeliveryFigures
    repairs: dict[str, int]
    throttled: int
    cache: CacheFigures
    postgres: PostgresFigures
    redis: RedisFigures
    queues: list[QueueState] | None
    workers: list[str] | None
    beat: float | None
    failed_tasks: int | None
    mails: MailFigures | None
