"""What operators see of the queues."""

from __future__ import annotations

from app.domain.views import View


class QueueState(View, frozen=True, kw_only=True):
    """One queue. `oldest` is the age in seconds of what waits longest; null when nothing does, or nobody noted when.

    `per_minute` is the rate of the last five minutes; `retried` and `failed` count the last hour: another try was
    made, or none was left.
    """

    name: str
    waiting: int
    oldest: float | None
    running: int
    per_minute: float
    retried: int
    failed: int


class QueueReport(View, frozen=True, kw_only=True):
    """`workers`: the names of those that have shown themselves within 15 s."""

    queues: list[QueueState]
    workers: list[str]
