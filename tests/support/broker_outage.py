"""The broker is away while users write: no send waits for it, and afterwards each member is notified once.

Played short in the suite, for a minute by `make trials ONLY=broker`.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

import msgspec
import redis
import redis.asyncio

from app.local.valkey import EmbeddedValkey
from app.realtime.presence import KNOWN_FROM, PROCESSES
from tests.support.client import Node, Person, eventually
from tests.support.mailbox import Mailboxes

EVERY = 0.1
"""Seconds between two messages."""
NOTIFY_SECONDS = 180.0
ROUNDS = 12.0
"""Seconds in which each of two beats has posted every periodic task twice more."""


class OutageResult(msgspec.Struct, frozen=True):
    """The slowest send without the broker in milliseconds, and the seconds from its return until all were notified.

    `twice` names the users who were notified more than once.
    """

    sends: int
    slowest_ms: float
    usual_ms: float
    seconds: float
    twice: list[str]


async def play(
    node: Node, valkey: EmbeddedValkey, mailboxes: Mailboxes, *, seconds: float, members: int, hurried: bool = False
) -> OutageResult:
    """`hurried` skips the two minutes in which presence is unknown.

    Raises AssertionError if a send is refused, or a user is not notified within three minutes.
    """
    ada = await node.register("Ada")
    others = [await node.register(f"Member{number}") for number in range(members)]
    conversation = await ada.converse(*others)
    usual = await write(ada, conversation, 2.0)
    await asyncio.to_thread(valkey.stop)
    try:
        took = await write(ada, conversation, seconds)
    finally:
        await asyncio.to_thread(valkey.start)
    began = time.monotonic()
    if hurried:
        await eventually(partial(presence_is_known, valkey), NOTIFY_SECONDS)
        await asyncio.to_thread(forget_the_outage, valkey)
    last = (await ada.get(f"/conversations/{conversation}/"))["last_seq"]

    async def all_notified() -> bool:
        return all([mailboxes.to(one.email, "Unread") and await up_to(one) == last for one in others])

    await eventually(all_notified, NOTIFY_SECONDS)
    waited = time.monotonic() - began
    await asyncio.sleep(ROUNDS)
    twice = [one.email for one in others if len(mailboxes.to(one.email, "Unread")) > 1]
    twice += [one.email for one in others if len((await one.get("/notifications/"))["items"]) > 1]
    return OutageResult(len(took), max(took), max(usual), waited, twice)


async def presence_is_known(valkey: EmbeddedValkey) -> bool:
    """Whether an API process has found its way back."""
    async with redis.asyncio.Redis.from_url(valkey.url, socket_timeout=5) as client:
        return bool(await client.exists(PROCESSES))


def forget_the_outage(valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url, socket_timeout=5) as client:
        client.set(KNOWN_FROM, int(time.time()) - 1)


async def up_to(person: Person) -> int:
    found = (await person.get("/notifications/"))["items"]
    return int(found[0]["up_to_seq"]) if found else 0


async def write(person: Person, conversation: str, seconds: float) -> list[float]:
    """Messages for so long; the milliseconds each took."""
    end, took = time.monotonic() + seconds, []
    while time.monotonic() < end:
        began = time.perf_counter()
        (await person.say(conversation, "is anybody there?")).good(201)
        took.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(EVERY)
    return took
