"""The disk full for half a minute while people write: Postgres, Valkey and every log stand on it and find no byte left.

It is a small disk of its own, in memory, which only root can make.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.support.leftovers import directory_prefix
from tests.system.chaos.database_faults import sends_return
from tests.system.chaos.driver import Driver
from tests.system.chaos.faults import Fault
from tests.system.chaos.record import NotFired
from tests.system.chaos.stage import Stage

MEGABYTES: Final = 700
SECONDS: Final = 30.0
SENDS: Final = 100.0
SEED: Final = 1
CHUNKS: Final = (1024 * 1024, 4096, 1)


@contextmanager
def small_disk() -> Iterator[None]:
    """Creates temporary directories on it within the context. Raises CalledProcessError if it cannot be mounted."""
    path = Path(tempfile.mkdtemp(prefix=directory_prefix()))
    options = f"size={MEGABYTES}m,mode=711"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True, timeout=10)
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        subprocess.run(["umount", path], check=True, timeout=10)
        path.rmdir()


async def disk(stage: Stage, say: Callable[[str], None]) -> list[str]:
    driver = Driver(stage, SEED, 1.0, say, rate=SENDS)
    await driver.set_up(1)
    driver.begin()
    await asyncio.sleep(3)
    answers: Counter[int] = Counter()
    await driver.suffer(Fault("the disk full", lambda driver: _full(driver, answers), seconds=SECONDS))
    violations = await driver.finish()
    acknowledged, refused = driver.record.counts["send ok"], driver.record.counts["send failed"]
    say(f"  {acknowledged} sends acknowledged, {refused} refused; probes meanwhile: {dict(answers)}")
    return violations


async def _full(driver: Driver, answers: Counter[int]) -> None:
    stage = driver.stage
    filler = stage.directory / "filler"
    until = time.monotonic() + SECONDS
    try:
        while time.monotonic() < until:
            # Again and again: what others give up is taken too.
            await stage.do(lambda: _fill(filler))
            answers[await driver.probe.send(stage.places[0])] += 1
            await asyncio.sleep(0.5)
    finally:
        await stage.do(filler.unlink)
    if not answers[503]:
        raise NotFired
    if others := set(answers) - {200, 201, 503}:
        driver.problem(f"with the disk full a send was answered {others}")
    await sends_return(driver)
    if stage.worker is None or not stage.worker.is_running:
        driver.problem("the worker did not live through it")


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in CHUNKS:
            with suppress(OSError):  # no space left
                while True:
                    file.write(b"\0" * size)
