"""`make trials`: eleven long trials, one after the other, each with figures; red when a promise does not hold.

`kills`: fifty times kill -9 under 200 sends a second. `redis`: away for a minute, then silent for a minute.
`storm`: a thousand sockets lost and back at once, at one process. `slow`: a client that never reads, beside 200 others.
`hello`: how soon a user with 500 conversations has `hello`, and all of them. `broker`: see `outage_trial`.
`broadcasts`: see `broadcast_trial`. `disk`: see `disk_trial`, which wants to be root. `hostile`: see its package.
`standby`, `stall`: COMMIT waits; see `commit_trials`. `stall` wants to be root.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from typing import Final

import uvloop

from bench.crowds import Crowd, unheard
from tests.system.chaos.broadcast_trial import broadcasts
from tests.system.chaos.commit_trials import stall, standby
from tests.system.chaos.disk_trial import disk, small_disk
from tests.system.chaos.driver import Driver
from tests.system.chaos.faults import LONG, SHORT, Fault
from tests.system.chaos.hostile import KINDS
from tests.system.chaos.hostile.trial import SECONDS, hostile
from tests.system.chaos.latency import Idler, Lags, Latency
from tests.system.chaos.mutations import MUTATIONS
from tests.system.chaos.outage_trial import broker
from tests.system.chaos.stage import NO_OTHERS, Stage, set_stage

KILLS: Final = 50
SENDS: Final = 200.0
CALM_SENDS: Final = 50.0
"""Where delays are measured: more, and it is this driver's own delay that is seen."""
CROWD: Final = 1_000
SOCKETS_EACH: Final = 20
"""The most one person may have at one process."""
HELLO_SECONDS: Final = 10.0
BACK_SECONDS: Final = 5.0
BACK_MS: Final = 50.0
ADDED_SECONDS: Final = 3.0
GOOD: Final = 200
CALM_SECONDS: Final = 60.0
WORSE: Final = 1.10
"""What the others may be slowed down by a reader that never reads."""
CONVERSATIONS: Final = 500
HELLOS: Final = 20
HELLO_MS: Final = 100.0
SEED: Final = 1

Trial = Callable[[Stage], Awaitable[list[str]]]


def say(line: str) -> None:
    print(line, flush=True)


async def kills(stage: Stage) -> list[str]:
    driver = Driver(stage, SEED, 1.0, say, rate=SENDS)
    await driver.set_up(1)
    driver.begin()
    for number in range(1, KILLS + 1):
        await driver.suffer(_fault("kill -9 of an API process"))
        if number % 10 == 0:
            say(f"  {number} kills, {driver.record.counts['send ok']} sends acknowledged")
    seconds = time.monotonic() - driver.record.began
    violations = await driver.finish()
    slowest = max(window.converged or 0.0 for window in driver.record.windows)
    acknowledged = driver.record.counts["send ok"]
    say(
        f"  {acknowledged} acknowledged, {acknowledged / seconds:.0f}/s; all whole at most {slowest:.2f} s after a kill"
    )
    return violations


async def redis(stage: Stage) -> list[str]:
    driver = Driver(stage, SEED, 1.0, say, rate=CALM_SENDS)
    await driver.set_up(1)
    one, two = (place.node for place in stage.places)
    ada, grace = [await one.register(name) for name in ("Ada", "Grace")]
    conversation = await ada.converse(grace)
    newcomers = [await one.register(f"New{number}") for number in range(2)]
    driver.begin()
    await asyncio.sleep(3)
    problems: list[str] = []
    latency = Latency(ada, conversation)
    async with grace.at(two).listening() as socket:
        say(f"  before: {await latency.measure(socket, BACK_SECONDS)}")
        for fault, newcomer in zip(
            (_fault("Redis down 60 s"), _fault("Redis silent (SIGSTOP) 60 s")), newcomers, strict=True
        ):
            async with newcomer.at(two).listening() as there:
                suffering = asyncio.create_task(driver.suffer(fault))
                await asyncio.sleep(10)
                began = time.monotonic()
                await ada.post(f"/conversations/{conversation}/add_member/", user=newcomer.id)
                await there.expect("conversation.created", conversation=conversation)
                waited = time.monotonic() - began
                await suffering
            await asyncio.sleep(BACK_SECONDS)
            lags = await latency.measure(socket, BACK_SECONDS)
            say(f"  {fault.name}: who was added had it after {waited:.2f} s; 5 s after its return {lags}")
            if waited > ADDED_SECONDS:
                problems.append(f"{fault.name}: who was added had the conversation after {waited:.1f} s")
            if lags.at(0.5) > BACK_MS:
                problems.append(f"{fault.name}: 5 s after its return {lags}")
    return problems + await driver.finish()


async def storm(stage: Stage) -> list[str]:
    node = stage.places[0].node
    people = await asyncio.gather(*(node.register(f"Crowd{at}") for at in range(CROWD // SOCKETS_EACH)))
    await people[0].converse(*people[1:])
    tokens = [person.access for person in people for _ in range(SOCKETS_EACH)]
    crowd = Crowd(stage.places[0].port)
    await crowd.open(tokens, unheard)
    await crowd.leave()
    began = time.monotonic()
    # Fails when one is refused, with a 5xx or otherwise.
    await crowd.open(tokens, unheard)
    seconds = time.monotonic() - began
    await crowd.leave()
    say(f"  {len(tokens)} sockets had their hello {seconds:.1f} s after all were lost")
    return [] if seconds <= HELLO_SECONDS else [f"{len(tokens)} sockets had their hello after {seconds:.1f} s"]


async def slow(stage: Stage) -> list[str]:
    place = stage.places[0]
    people = await asyncio.gather(*(place.node.register(f"Good{at}") for at in range(GOOD // SOCKETS_EACH)))
    ada, idle = [await place.node.register(name) for name in ("Ada", "Idle")]
    conversation = await ada.converse(*people, idle)
    crowd, latency = Crowd(place.port), Latency(ada, conversation)
    await crowd.open([person.access for person in people for _ in range(SOCKETS_EACH)], latency.heard)
    before = await latency.play(CALM_SECONDS)
    say(f"  {GOOD} readers alone: {before}")
    async with Idler(place.port, idle.access) as idler:
        beside = await latency.play(CALM_SECONDS)
    say(f"  beside one that never reads ({idler.opened} connections of it, one at a time): {beside}")
    after = await latency.play(CALM_SECONDS)
    say(f"  alone again: {after}")
    crowd.require()
    await crowd.leave()
    bound = WORSE * max(before.at(0.99), after.at(0.99))
    return [] if beside.at(0.99) <= bound else [f"p99 {beside.at(0.99):.1f} ms, more than {bound:.1f} ms"]


async def hello(stage: Stage) -> list[str]:
    node = stage.places[0].node
    ada = await node.register("Ada")
    for start in range(0, CONVERSATIONS, SOCKETS_EACH):
        names = [f"Conversation {number}" for number in range(start, start + SOCKETS_EACH)]
        made = await asyncio.gather(*(ada.post("/conversations/", name=name, is_private=True) for name in names))
        await asyncio.gather(*(ada.say(one["id"], "hello there") for one in made))
    first, whole = [], []
    for _ in range(HELLOS):
        began = time.monotonic()
        async with ada.listening() as socket:
            first.append((time.monotonic() - began) * 1_000)
            frame = socket.frames[0]
            known = len(frame["conversations"])
            while frame["next"]:
                frame = await socket.expect("conversations")
                known += len(frame["conversations"])
            whole.append((time.monotonic() - began) * 1_000)
            assert known == CONVERSATIONS
    say(f"  hello: {Lags(first)}; all {CONVERSATIONS} conversations: {Lags(whole)}")
    return [] if Lags(first).at(0.99) < HELLO_MS else [f"hello after {Lags(first)}"]


def _fault(name: str) -> Fault:
    return next(fault for fault in (*SHORT, *LONG) if fault.name == name)


def _told(trial: Callable[[Stage, Callable[[str], None]], Awaitable[list[str]]]) -> Trial:
    """A trial that lives in a file of its own."""

    async def play(stage: Stage) -> list[str]:
        return await trial(stage, say)

    return play


TRIALS: Final[dict[str, Trial]] = {
    "kills": kills,
    "redis": redis,
    "storm": storm,
    "slow": slow,
    "hello": hello,
    "broker": _told(broker),
    "broadcasts": _told(broadcasts),
    "disk": _told(disk),
    "standby": _told(standby),
    "stall": _told(stall),
    "hostile": _told(hostile),
}
PLACES: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {"disk": small_disk}
"""Where a trial's servers stand, unless in the usual place."""


async def run(names: list[str], defect: str, seconds: float, kinds: list[str]) -> int:
    programs = {"api": ("tests.system.chaos.mutated", defect)} if defect else NO_OTHERS
    playing = asyncio.current_task()
    assert playing is not None
    # Ended from outside, it still thaws disks and gives addresses back.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    broken = 0
    for name in names:
        say(name)
        async with AsyncExitStack() as stack:
            stack.enter_context(PLACES.get(name, nullcontext)())
            trial = _told(partial(hostile, seconds=seconds, kinds=kinds)) if name == "hostile" else TRIALS[name]
            problems = await trial(await stack.enter_async_context(set_stage(programs)))
        for problem in problems:
            say(f"VIOLATION {problem}")
        broken += len(problems)
    say(f"{broken} violations" if broken else "no violation")
    return 1 if broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos.trials", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TRIALS, []], help="these; else all")
    parser.add_argument("--defect", choices=MUTATIONS, default="", help="in the API processes: the trial must be red")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each kind of hostile client")
    parser.add_argument("--kind", choices=KINDS, action="append", default=[], help="of hostile clients; else all")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(options.names or list(TRIALS), options.defect, options.seconds, options.kind))


if __name__ == "__main__":
    sys.exit(main())
