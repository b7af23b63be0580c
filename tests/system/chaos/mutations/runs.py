"""One bounded run of the driver against the chat with one mutation in it, and what came of it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec

from tests.system.chaos.driver import Driver
from tests.system.chaos.faults import LONG, MIDDLE, SHORT, Fault
from tests.system.chaos.mutations.declared import FIRED, Mutation
from tests.system.chaos.stage import set_stage

SEED: Final = 11
CROWD: Final = 1
WARM_SECONDS: Final = 2.0
MOST_SECONDS: Final = 150.0
"""A run that is not over by then has shown nothing."""


class Outcome(msgspec.Struct, kw_only=True):
    """`fired`: how often the defect did its work. `red`: (promise, checker) → how many violations, an example."""

    name: str
    fired: int
    red: dict[tuple[str, str], tuple[int, str]]
    seconds: float

    def missing(self, expected: Mutation) -> str:
        """Why this proves nothing; nothing when the checker named has seen the defect."""
        if not self.fired:
            return "never fired"
        if (expected.promise, expected.caught) in self.red:
            return ""
        return f"seen by {sorted(self.red)} and not by {expected.caught}" if self.red else "not seen"


async def run_mutated(mutation: Mutation, patience: float = 1.0) -> Outcome:
    """The driver on the chat with this mutation in it, until it is judged."""
    program: dict[str, tuple[str, str]] = {mutation.process: ("tests.system.chaos.mutated", mutation.name)}
    return await _run(mutation.name, program, mutation.faults, mutation.seconds, mutation.rate, patience)


async def run_control(mutations: list[Mutation], patience: float = 1.0) -> Outcome:
    """The same launcher with nothing in it, through all faults that the mutations are shown by: nothing may be red."""
    program = dict.fromkeys(("api", "worker"), ("tests.system.chaos.mutated", "none"))
    faults = tuple(dict.fromkeys(name for one in mutations for name in one.faults))
    return await _run("none", program, faults, max(one.seconds for one in mutations), 60.0, patience)


async def _run(
    name: str,
    programs: dict[str, tuple[str, str]],
    faults: tuple[str, ...],
    seconds: float,
    rate: float,
    patience: float,
) -> Outcome:
    began = time.monotonic()
    async with asyncio.timeout(MOST_SECONDS * patience), set_stage(programs) as stage:
        driver = Driver(stage, SEED, patience, _unheard, rate=rate)
        await driver.set_up(CROWD)
        driver.begin()
        end = time.monotonic() + seconds
        await asyncio.sleep(WARM_SECONDS)
        for fault in faults:
            await driver.suffer(_fault(fault))
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        await driver.finish()
        fired = stage.count_said(FIRED)
    return Outcome(name=name, fired=fired, red=_red(driver.verdicts), seconds=time.monotonic() - began)


def _red(verdicts: dict[str, list[str]]) -> dict[tuple[str, str], tuple[int, str]]:
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for checker, violations in verdicts.items():
        for violation in violations:
            key = (violation.partition(":")[0], checker)
            count, example = found.get(key, (0, violation))
            found[key] = (count + 1, example)
    return found


def _fault(name: str) -> Fault:
    return next(fault for fault in (*SHORT, *MIDDLE, *LONG) if fault.name == name)


def _unheard(line: str) -> None:
    """Failures are reported at the end."""
