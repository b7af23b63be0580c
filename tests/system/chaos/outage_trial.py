"""The broker is away for a minute during sends, with two beats and two workers: each user is notified once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tests.support.broker_outage import play
from tests.support.client import Node
from tests.support.mailbox import mail_server
from tests.support.processes import processes
from tests.system.chaos.stage import Stage

SECONDS: Final = 60.0
MEMBERS: Final = 20
SLOWEST_MS: Final = 250.0


async def broker(stage: Stage, say: Callable[[str], None]) -> list[str]:
    if stage.worker is not None:
        stage.worker.end()  # it knows no mail server
    with mail_server() as (mailboxes, port), processes(stage.directory, stage.url, stage.valkey.url) as started:
        started.environment |= {"SMTP_URL": f"smtp://127.0.0.1:{port}", "NOTIFY_AFTER_SECONDS": "0"}
        api = await asyncio.to_thread(started.api)
        for _ in range(2):
            await asyncio.to_thread(started.worker)
            await asyncio.to_thread(started.beat)
        node = Node(api.url)
        try:
            received = await play(node, stage.valkey, mailboxes, seconds=SECONDS, members=MEMBERS)
        except AssertionError as missing:
            return [f"after the broker's return: {missing}"]
        finally:
            await node.close()
    say(
        f"  {received.sends} sends, the slowest {received.slowest_ms:.0f} ms ({received.usual_ms:.0f} ms before);"
        f" {MEMBERS} people told, in the app and by mail, {received.seconds:.0f} s after its return"
    )
    problems = [f"{one} was told twice" for one in received.twice]
    # For the broker: beyond what they take anyway.
    if received.slowest_ms > SLOWEST_MS + received.usual_ms:
        problems.append(f"a send took {received.slowest_ms:.0f} ms")
    return problems
