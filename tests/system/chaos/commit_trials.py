"""COMMIT waits while 1,000 messages are sent without a `client_id`: for a synchronous standby that goes away and comes
back, or for a disk that stalls.

None may be stored twice, none answered with an error other than `outcome_unknown` and stored, none answered after 25 s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from tests.support.client import Node, eventually
from tests.support.stalled_disk import own_disk
from tests.support.standby import Pair, require_standby, stored_texts
from tests.support.unanswered_sends import ANSWERED_SECONDS, Senders
from tests.system.chaos.latency import pulse
from tests.system.chaos.stage import Stage

SENDERS: Final = 50
EACH: Final = 20
PAUSE: Final = 2.5
"""Of each sender: 20 sends a second, together."""
AWAY_SECONDS: Final = 18.0
"""Longer than a batch may be written."""
BACK_SECONDS: Final = 5.0
ABSENCES: Final = 2

Say = Callable[[str], None]


class Absences:
    """Takes away what COMMIT waits for, and gives it back."""

    def __init__(self, stage: Stage, leave: Callable[[], object], come_back: Callable[[], object]) -> None:
        self._stage, self._leave, self._come_back = stage, leave, come_back

    async def run(self) -> None:
        for _ in range(ABSENCES):
            await asyncio.sleep(BACK_SECONDS)
            await self._stage.do(self._leave)
            try:
                await asyncio.sleep(AWAY_SECONDS)
            finally:
                await self._stage.do(self._come_back)


async def standby(stage: Stage, say: Say) -> list[str]:
    """The standby is stopped and started again."""
    pair = Pair(stage.postgres, stage.directory / "standby")
    try:
        await stage.do(pair.start)
        await stage.do(pair.require)
        return await _beside(stage, say, Absences(stage, pair.leave, pair.come_back))
    finally:
        await stage.do(lambda: require_standby(stage.postgres, ""))
        await stage.do(pair.stop)


async def stall(stage: Stage, say: Say) -> list[str]:
    """The write-ahead log is on a disk of its own, which is frozen: a COMMIT hangs in the kernel and hears no cancel.
    Only root can make one."""
    with own_disk(stage.directory) as disk:
        try:
            await stage.do(lambda: disk.take_log_of(stage.postgres))
            for place in stage.places:
                await eventually(partial(_serves, place.node))
            return await _beside(stage, say, Absences(stage, disk.freeze, disk.thaw))
        finally:
            disk.thaw()
            await stage.do(stage.postgres.stop)


async def _serves(node: Node) -> bool:
    """Whether the process has found the database again."""
    with suppress(AssertionError):
        await node.register("Probe")
        return True
    return False


async def _beside(stage: Stage, say: Say, absences: Absences) -> list[str]:
    nodes = [place.node for place in stage.places]
    people = [await nodes[at % 2].register(f"Sender{at}") for at in range(SENDERS)]
    conversations = [await one.converse(other) for one, other in zip(people[::2], people[1::2], strict=True)]
    senders = Senders(people, [conversations[at // 2] for at in range(SENDERS)], each=EACH, pause=PAUSE)
    async with pulse() as lags:
        await asyncio.gather(senders.run(), absences.run())
    await asyncio.sleep(BACK_SECONDS)
    times = Counter(stored_texts(stage.url))
    texts = [one.text for one in senders.said]
    say(
        f"  {len(texts)} sends: {', '.join(f'{count} {code}' for code, count in senders.codes.most_common())};"
        f" {sum(times[text] > 0 for text in texts)} stored, {sum(times[text] > 1 for text in texts)} twice;"
        f" the slowest answered after {senders.slowest:.1f} s of {ANSWERED_SECONDS:.0f};"
        f" this driver's own longest sleep {max(lags):.1f} s"
    )
    problems = senders.untrue(stage.url, allowed=2 * max(lags))
    if not senders.codes["outcome_unknown"]:
        problems.append("no COMMIT waited longer than a batch may be written")
    return problems
