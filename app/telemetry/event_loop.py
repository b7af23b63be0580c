"""Measures the event loop's lag: how long ready tasks of this process wait while another task blocks the loop."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import Histogram

SAMPLE_SECONDS: Final = 0.02
BUCKETS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)

DELAY = Histogram(
    "chat_event_loop_delay_seconds",
    "How much later than scheduled the event loop wakes, sampled every 20 ms.",
    buckets=BUCKETS,
)


async def watch() -> None:
    """Measures until cancelled; runs as a background task."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        DELAY.observe(max(0.0, loop.time() - due))
