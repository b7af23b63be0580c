"""`python -m tests.system.chaos.hostile KIND`: one hostile client, which reads its ground from standard input.

It says when it has begun, goes on until SIGTERM, and ends with what it did, as JSON. It runs at the lowest priority:
what it takes of this machine's time is not what it costs the server.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys

import msgspec
import uvloop

from tests.system.chaos.hostile import KINDS
from tests.system.chaos.hostile.ground import Ground, Tally

NICE = 19


async def attack(kind: str, ground: Ground) -> Tally:
    tally, stop = Tally(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    attacking = asyncio.create_task(KINDS[kind](ground, tally))
    print("begun", flush=True)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({attacking, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if attacking.done():
        attacking.result()  # it ends only by failing
    attacking.cancel()
    return tally


def main() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_192), most))
    ground = msgspec.json.decode(sys.stdin.buffer.readline(), type=Ground)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally = runner.run(attack(sys.argv[1], ground))
        sys.stdout.buffer.write(msgspec.json.encode(dict(tally)) + b"\n")


if __name__ == "__main__":
    main()
