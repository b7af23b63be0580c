"""A broadcast to a thousand sockets at two processes, and by mail to ten thousand accounts, the worker killed twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from picows import WSFrame

from bench.crowds import Crowd
from tests.support.client import Node, Person, eventually
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.operators import root
from tests.support.processes import Processes, processes
from tests.system.chaos.stage import Stage

SOCKETS: Final = 1_000
SOCKETS_EACH: Final = 20
LATE: Final = 20
TOLD_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 5.0
ACCOUNTS: Final = 10_000
A_SECOND: Final = 200
MAIL_SECONDS: Final = 300.0
WORDS: Final = "The chat is away from 22:00 to 22:10 UTC, while its database moves to a larger machine. " * 5
"""Long enough to be distinguished from other frames by its size."""


class Count:
    """Frames with a broadcast, and when the last one came."""

    def __init__(self) -> None:
        self.number = 0
        self.last = 0.0

    def __call__(self, frame: WSFrame) -> None:
        if b'"broadcast"' in frame.get_payload_as_bytes()[:40]:
            self.number += 1
            self.last = time.monotonic()


async def broadcasts(stage: Stage, say: Callable[[str], None]) -> list[str]:
    return [*await to_sockets(stage, say), *await by_mail(stage, say)]


async def to_sockets(stage: Stage, say: Callable[[str], None]) -> list[str]:
    one = stage.places[0].node
    people = await asyncio.gather(*(one.register(f"Crowd{at}") for at in range(SOCKETS // SOCKETS_EACH)))
    late = await asyncio.gather(*(one.register(f"Late{at}") for at in range(LATE)))
    operator, count = await root(one, stage.url), Count()
    crowds = [Crowd(place.port) for place in stage.places]
    half = SOCKETS_EACH // 2
    for crowd in crowds:
        await crowd.open([person.access for person in people for _ in range(half)], count)
    began = time.monotonic()
    await operator.post("/ops/broadcasts/", title="Maintenance", text=WORDS, to="everybody")
    await asyncio.sleep(TOLD_SECONDS + AGAIN_SECONDS)
    seconds, received = count.last - began, count.number
    problems = [] if received == SOCKETS else [f"{SOCKETS} sockets were told {received} times"]
    if seconds > TOLD_SECONDS:
        problems.append(f"the last socket was told after {seconds:.2f} s")
    later = Count()
    for crowd, share in zip(crowds, (late[::2], late[1::2]), strict=True):
        await crowd.open([person.access for person in share], later)
        # A user who has received it does not receive it again on a new connection.
        await crowd.open([person.access for person in people[:half]], later)
    await asyncio.sleep(AGAIN_SECONDS)
    if later.number != LATE:
        problems.append(f"{LATE} who came later were told {later.number} times")
    for crowd in crowds:
        crowd.require()
        await crowd.leave()
    say(
        f"  {received} sockets at two processes told, the last after {seconds:.2f} s;"
        f" of {LATE} who came later {later.number}"
    )
    return problems


async def by_mail(stage: Stage, say: Callable[[str], None]) -> list[str]:
    if stage.worker is not None:
        stage.worker.end()  # it knows another mail server
    with mail_server() as (mailboxes, port), processes(stage.directory, stage.url, stage.valkey.url) as started:
        started.environment |= {"SMTP_URL": f"smtp://127.0.0.1:{port}"}
        api = await asyncio.to_thread(started.api)
        node = Node(api.url)
        operator = await root(node, stage.url)
        await asyncio.to_thread(started.beat)
        addresses = await asyncio.to_thread(_accounts, stage.url)
        before, began = mailboxes.attempts, time.monotonic()
        wanted: dict[str, Any] = {"to": "everybody", "mail": True, "mails_per_second": A_SECOND}
        made = await operator.post("/ops/broadcasts/", title="To all of you", text="Hello.", **wanted)
        for share in (0.2, 0.5):
            await _killed_at(started, mailboxes, before + int(share * ACCOUNTS))
        await asyncio.to_thread(started.worker, concurrency=2)
        progress = await _settled(operator, made["id"], stage.url)
        await node.close()
    seconds = time.monotonic() - began
    letters = [len(mailboxes.to(address, "To all of you")) for address in addresses]
    traced = sum(progress[name] for name in ("sent", "refused", "unknown", "dropped"))
    say(
        f"  {sum(letters)} of {ACCOUNTS} accounts mailed in {seconds:.0f} s, worker killed twice;"
        f" {progress['sent']} known to be sent, {progress['unknown']} unknown"
    )
    problems = [f"somebody was mailed {max(letters)} times"] if max(letters) > 1 else []
    if traced != progress["planned"] or sum(letters) + progress["unknown"] < ACCOUNTS:
        problems.append(f"not all are traced: {progress}")
    return problems


def _accounts(url: str) -> list[str]:
    with psycopg.connect(url, connect_timeout=3) as connection:
        rows = connection.execute(
            "INSERT INTO users (id, email, first_name, last_name, password_hash, created_at) SELECT gen_random_uuid(),"
            " gen_random_uuid() || '@example.org', 'Some', 'Body', '!', now() FROM generate_series(1, %s)"
            " RETURNING email",
            [ACCOUNTS],
        )
        return [str(email) for (email,) in rows.fetchall()]


async def _killed_at(started: Processes, mailboxes: Mailboxes, letters: int) -> None:
    worker = await asyncio.to_thread(started.worker, concurrency=2)
    await eventually(lambda: mailboxes.attempts >= letters, MAIL_SECONDS)
    worker.end()


async def _settled(operator: Person, broadcast: str, url: str) -> dict[str, int]:
    """Returns the outcomes of its mails once all are settled. Ages the claims of killed workers so that they expire."""
    end = time.monotonic() + MAIL_SECONDS
    progress: dict[str, int] = {}
    while time.monotonic() < end:
        progress = (await operator.get(f"/ops/broadcasts/{broadcast}/"))["mails"]
        missing = progress["planned"] - sum(progress[name] for name in ("sent", "refused", "unknown", "dropped"))
        if not missing:
            return progress
        if progress["posted"] == progress["planned"] and missing <= 8:
            await asyncio.to_thread(_age_claims, url)
        await asyncio.sleep(1)
    return progress


def _age_claims(url: str) -> None:
    with psycopg.connect(url, connect_timeout=3) as connection:
        connection.execute(
            "UPDATE mails SET claimed_at = claimed_at - interval '1 hour' WHERE outcome IS NULL AND attempts > 0"
        )
