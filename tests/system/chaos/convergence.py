"""After the last fault every reader comes back, every name arrives, every socket has what the database has (I5, I6)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.support.client import eventually
from tests.system.chaos.bounds import CONVERGED_SECONDS, NAMES_SECONDS
from tests.system.chaos.faults import positions
from tests.system.chaos.truth import names_are_delivered

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver


async def late_after_quiet(driver: Driver) -> list[str]:
    """Until every reader is back, and 5 s more, in which all must have arrived."""
    with suppress(AssertionError):
        await eventually(lambda: all(reader.is_whole for reader in driver.readers), 20 * driver.record.patience)
    late = [f"I5: {reader.name} never came back" for reader in driver.readers if not reader.is_whole]
    try:
        await eventually(lambda: names_are_delivered(driver.stage.url), NAMES_SECONDS * driver.record.patience)
    except AssertionError:
        late.append(f"I6: a new name is not told {NAMES_SECONDS:.0f} s after")
    began = time.monotonic()
    goal = await positions(driver.stage.url, driver.conversations)
    while time.monotonic() < began + CONVERGED_SECONDS * driver.record.patience:
        await asyncio.sleep(0.1)
        whole = all(
            one in reader.replica.held and reader.replica.held[one].position == position
            for reader in driver.readers
            for one, position in goal.items()
            if one != driver.direct or reader.person.id in driver.pair
        )
        if whole and time.monotonic() > began + 2.5:  # read marks come with the look
            break
    return late
