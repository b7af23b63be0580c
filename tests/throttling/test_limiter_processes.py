"""Four real processes take at once: the limit holds in every window, and is used."""

from __future__ import annotations

import asyncio
import json
import sys

WINDOW = 1.0
LIMIT = 50
SECONDS = 3.5


async def run(*arguments: str) -> list[tuple[float, float]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.throttling.hammer", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [(before, after) for before, after in json.loads(out)]


def most_in_a_window(takes: list[tuple[float, float]]) -> int:
    """The most takes that were certainly within one window: begun after its start, answered before its end."""
    return max(sum(start <= before and after < start + WINDOW for before, after in takes) for start, _ in takes)


def test_the_check_detects_one_take_above_the_limit() -> None:
    steady = [(i * WINDOW / LIMIT, i * WINDOW / LIMIT + 0.001) for i in range(200)]
    assert most_in_a_window(steady) <= LIMIT
    assert most_in_a_window([*steady, (1.0, 1.001)]) > LIMIT


async def test_four_processes_never_exceed_a_limit_together(redis_url: str, subject: str) -> None:
    runs = [run(redis_url, subject, str(LIMIT), str(SECONDS)) for _ in range(4)]
    takes = sorted(take for taken in await asyncio.gather(*runs) for take in taken)
    assert most_in_a_window(takes) <= LIMIT
    # And what is allowed is given: a full window's worth at once, again in each window that follows.
    lasted = takes[-1][1] - takes[0][0]
    assert len(takes) >= LIMIT * int(lasted / (WINDOW * 61 / 60))
    assert len(takes) >= 2 * LIMIT
