"""`python -m bench.notifier SECONDS < conversations`: decides about notifications as the worker's task does.

Prints the decisions per second. A decision covers one member, notified or not, and includes everything but mails.
"""

from __future__ import annotations

import sys
import time
from uuid import UUID

import uvloop

from app.settings import load
from app.tasks.notifications import decide_one
from app.wiring.worker_context import open_task_context


async def decide(conversations: list[UUID], seconds: float) -> float:
    context = open_task_context(load())
    began, decided = time.perf_counter(), 0
    for conversation in conversations:
        decided += len(await decide_one(context, conversation))
        if time.perf_counter() - began > seconds:
            break
    took = time.perf_counter() - began
    await context.database.close()
    return decided / took


def main() -> None:
    conversations = [UUID(line.strip()) for line in sys.stdin]
    print(uvloop.run(decide(conversations, float(sys.argv[1]))))


if __name__ == "__main__":
    main()
