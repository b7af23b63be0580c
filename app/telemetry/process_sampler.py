"""Samples what this process has no event for, once a second: the database pools, and the frames written meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from prometheus_client import Gauge

from app.db import Database
from app.realtime.connection.socket_metrics import tally

SAMPLE_SECONDS: Final = 1.0

_MODE: Final = "livesum"
SIZE: Final = Gauge(
    "chat_database_pool_size", "Connections that each pool may open.", ["pool"], multiprocess_mode=_MODE
)
IN_USE: Final = Gauge(
    "chat_database_pool_in_use", "Connections in use, sampled each second.", ["pool"], multiprocess_mode=_MODE
)
WAITING: Final = Gauge(
    "chat_database_pool_waiting", "Callers that wait for a connection.", ["pool"], multiprocess_mode=_MODE
)


async def run(pools: Mapping[str, Database]) -> None:
    """Samples until cancelled; runs as a background task. `pools` are labelled by their name."""
    while True:
        sample(pools)
        await asyncio.sleep(SAMPLE_SECONDS)


def sample(pools: Mapping[str, Database]) -> None:
    """Takes one sample."""
    tally.flush()
    for name, database in pools.items():
        usage = database.pool_usage()
        SIZE.labels(name).set(usage.size)
        IN_USE.labels(name).set(usage.in_use)
        WAITING.labels(name).set(usage.waiting)
