"""`make chaos-mutations`: every mutation, one run each, and one without any; a table of which checker saw which."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import time

import uvloop

from tests.system.chaos.mutations import MUTATIONS
from tests.system.chaos.mutations.runs import Outcome, run_control, run_mutated

HEAD = "| defect | fired | seen by | as | also red |\n|---|--:|---|---|---|"


def row(outcome: Outcome) -> str:
    expected = MUTATIONS[outcome.name]
    others = sorted({checker for promise, checker in outcome.red if checker != expected.caught})
    also = ", ".join(f"`{checker}`" for checker in others) or "–"
    return f"| {expected.says} | {outcome.fired} | `{expected.caught}` | {expected.promise} | {also} |"


async def run(names: list[str], patience: float) -> int:
    began, rows, broken = time.monotonic(), [], 0
    if not names:
        control = await run_control(list(MUTATIONS.values()), patience)
        print(f"without a defect: {control.red or 'nothing red'} ({control.seconds:.0f} s)", flush=True)
        broken += bool(control.red or control.fired)
    for name in names or MUTATIONS:
        try:
            outcome = await run_mutated(MUTATIONS[name], patience)
        except TimeoutError:
            print(f"{name}: its run did not end", flush=True)
            broken += 1
            continue
        missing = outcome.missing(MUTATIONS[name])
        print(f"{name}: {missing or 'caught'} (fired {outcome.fired}, {outcome.seconds:.0f} s)", flush=True)
        for (_, checker), (count, example) in outcome.red.items():
            print(f"    {checker}: {count}, as {example[:150]}", flush=True)
        broken += bool(missing)
        rows.append(row(outcome))
    print("\n".join(["", HEAD, *rows, ""]))
    print(f"{broken} not as they must be" if broken else "every defect was seen", f"({time.monotonic() - began:.0f} s)")
    return 1 if broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MUTATIONS, []], help="these; else all, and a run without any")
    parser.add_argument("--patience", type=float, default=1.0, help="stretches every bound, on a loaded machine")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(options.names, options.patience))


if __name__ == "__main__":
    sys.exit(main())
