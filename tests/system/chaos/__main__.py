"""`make chaos SEED=… MINUTES=…`: real processes, real faults; a table at the end, and red on any violation."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from tests.system.chaos.disk_probe import disk_probe
from tests.system.chaos.driver import Driver
from tests.system.chaos.faults import LONG, MIDDLE, SHORT, Fault
from tests.system.chaos.picture import drawn
from tests.system.chaos.report import progress, table
from tests.system.chaos.stage import set_stage

LONG_SHARE = 0.42
"""Of the time, for faults of 30 s and more."""
CROWD = 25
SHOWN = 40


def cycle(dice: random.Random, seed: int, seconds: float) -> list[Fault]:
    """The first round: every short fault, and as many of the long ones as fit, beginning elsewhere with each seed."""
    chosen: list[Fault] = []
    budget = seconds * LONG_SHARE
    for at in range(len(LONG)):
        fault = LONG[(2 * (seed - 1) + at) % len(LONG)]
        if fault.seconds <= budget:
            chosen.append(fault)
            budget -= fault.seconds
    short = dice.sample((*SHORT, *MIDDLE), len(SHORT) + len(MIDDLE))
    return [*short, *chosen]


async def run(seed: int, minutes: float, picture: Path | None = None, say_progress: float = 5.0) -> int:
    dice, seconds = random.Random(seed), minutes * 60
    async with set_stage() as stage, AsyncExitStack() as stack:
        driver = Driver(stage, seed, 1.0, lambda line: print(line, flush=True))
        stack.enter_context(disk_probe(stage.directory, driver.record.disk_pauses))
        await driver.set_up(CROWD)
        print(f"seed {seed}, {minutes:g} minutes, 2 API processes, 1 worker: {stage.directory}", flush=True)
        driver.begin()
        telling = asyncio.create_task(progress(driver, say_progress))
        await asyncio.sleep(2)
        planned, deadline = cycle(dice, seed, seconds), time.monotonic() + seconds
        owed = len(planned)
        while owed > 0 or time.monotonic() < deadline:
            fault = planned.pop(0)
            owed -= 1
            if owed < 0 and time.monotonic() + fault.seconds > deadline:
                break
            print(f"{time.monotonic() - driver.record.began:6.1f} s  {fault.name}", flush=True)
            await driver.suffer(fault)
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            if not planned:
                planned = dice.sample((*SHORT, *MIDDLE), len(SHORT) + len(MIDDLE))
        telling.cancel()
        violations = await driver.finish()
        slow_lines = stage.slow_lines(SHOWN)
    print(table(driver))
    if picture is not None:
        await asyncio.to_thread(picture.write_text, drawn(driver.record, f"seed {seed}, {minutes:g} minutes"), "utf-8")
    for violation in violations[:SHOWN]:
        print(f"VIOLATION {violation}")
    if violations:
        print(
            "the driver began at",
            time.strftime("%T", time.gmtime(time.time() - time.monotonic() + driver.record.began)),
        )
        for end, seconds in driver.record.disk_pauses:
            print(f"{end - driver.record.began:6.1f} s  the disk had paused for {seconds:.2f} s")
        print(*slow_lines, sep="\n")
    print(f"{len(violations)} violations" if violations else "no violation")
    return 1 if violations else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--picture", type=Path, help="where to draw how late messages were, and the faults (SVG)")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    # Much is recorded and all of it is kept: looking for cycles in it only costs time.
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(options.seed, options.minutes, options.picture))


if __name__ == "__main__":
    sys.exit(main())
