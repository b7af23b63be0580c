"""A poller polls once a second, and at once when it is woken."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.realtime.hub import poll_timer
from app.realtime.hub.poll_timer import PollTimer


async def passed(timer: PollTimer) -> float:
    """Seconds that `timer` waits."""
    began = time.monotonic()
    await timer.wait()
    return time.monotonic() - began


async def test_the_first_poll_is_at_once_and_the_next_after_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_timer, "POLL_SECONDS", 0.2)
    timer = PollTimer()
    assert await passed(timer) < 0.1
    assert await passed(timer) >= 0.15
    await asyncio.sleep(0.25)
    assert await passed(timer) < 0.1


async def test_a_wake_ends_the_wait_and_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_timer, "POLL_SECONDS", 30.0)
    timer = PollTimer()
    await timer.wait()
    timer.wake()
    timer.wake()
    async with asyncio.timeout(5):
        await timer.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await timer.wait()
