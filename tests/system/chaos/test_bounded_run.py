"""A minute of bad luck, in miniature: one seed, every short fault once, everything judged as in a long run."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import pytest

from tests.system.chaos.driver import Driver
from tests.system.chaos.faults import SHORT, Fault
from tests.system.chaos.stage import set_stage

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
SEED = 20
PATIENCE = 4.0
"""The rest of the suite runs beside, on the same cores: bounds are stretched so much. `make chaos` stretches none."""
CROWD = 3
RUN_SECONDS: Final = 210.0
"""What pytest raises at its own, later timeout ends only the task that happens to run then."""


def in_turns(dice: random.Random) -> list[Fault]:
    """While a process comes back from one fault, something else breaks."""
    restarting = dice.sample([one for one in SHORT if one.restarts], k=sum(one.restarts for one in SHORT))
    others = dice.sample([one for one in SHORT if not one.restarts], k=sum(not one.restarts for one in SHORT))
    turns: list[Fault] = []
    for at, fault in enumerate(others):
        turns += [*restarting[at : at + 1], fault]
    return turns


async def whole(driver: Driver) -> list[str]:
    await driver.set_up(CROWD)
    driver.begin()
    for fault in in_turns(random.Random(SEED)):
        await driver.suffer(fault)
    return await driver.finish()


async def test_every_short_fault_is_survived_under_load() -> None:
    said: list[str] = []
    async with set_stage() as stage:
        driver = Driver(stage, SEED, PATIENCE, said.append, hurried=True)
        try:
            async with asyncio.timeout(RUN_SECONDS):
                violations = await whole(driver)
        except TimeoutError:
            survived = ", ".join(window.fault for window in driver.record.windows)
            pytest.fail(f"the run did not end within {RUN_SECONDS:.0f} s; over were: {survived}")
        finally:
            await driver.end()
    assert violations == []
    assert {window.fault for window in driver.record.windows} == {fault.name for fault in SHORT}
    for counted in ("frames told", "resumes", "walks", "pages compared with Postgres", "edit ok", "read ok"):
        assert driver.record.counts[counted] > 0, f"there were no {counted}: nothing was shown"
    assert driver.record.removals, "nobody was removed"
    assert driver.record.counts["send ok"] > 300
