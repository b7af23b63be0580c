"""The people of `chat demo` go on talking, live, until Ctrl-C: they type, send, read, and answer a visitor.

Each has a socket. They speak a few lines, pause, and speak again, so that a day's talk stays within the limits of a
user (THROTTLE_USER). Outages only interrupt them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from app.local.demo.demo_sockets import DemoSocket, Frame
from app.local.demo.demo_users import DemoUser
from app.local.demo.talk_lines import REPLIES, TALKS, Exchange

CHARACTERS_PER_SECOND: Final = 14
LONGEST_TYPING: Final = 5.0
BETWEEN_LINES: Final = (1.5, 5.0)
BETWEEN_EXCHANGES: Final = (8.0, 20.0)
"""Seconds, chosen at random between these."""

MAX_VISITS: Final = 5
READERS: Final = 0.6
"""The share of members who read a message at once."""


def run(people: Mapping[str, DemoUser], groups: Mapping[str, str]) -> None:
    """Keeps `people` talking until Ctrl-C, and prints each line. `groups`: the ids of the conversations by name."""
    print("\nThey are talking now, and answer if you write in one of these groups. Ctrl-C stops them.\n", flush=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(talk(people, groups))
    print("\nStopped. What they wrote stays.", flush=True)


async def talk(people: Mapping[str, DemoUser], groups: Mapping[str, str], *, pace: float = 1.0) -> None:
    """Never returns. `pace` multiplies all waits."""
    own = {user.id for user in people.values()}
    talks = [DemoTalk(name, groups[name], exchanges, own, pace=pace) for name, exchanges in TALKS.items()]

    def heard(listener: str, message: Frame) -> None:
        for one in talks:
            if one.conversation == message["conversation"] and one.listener == listener:
                one.hear(message)

    sockets = {name: DemoSocket(user, partial(heard, name), pace=pace) for name, user in people.items()}
    async with asyncio.TaskGroup() as group:
        for socket in sockets.values():
            group.create_task(socket.stay_online())
        for one in talks:
            group.create_task(one.run(sockets))


class DemoTalk:
    """One group. `own`: the ids of the demo's people. `listener`, one of the speakers, hears visitors; one, so that
    each message is heard once."""

    def __init__(
        self, name: str, conversation: str, exchanges: Sequence[Exchange], own: set[str], *, pace: float
    ) -> None:
        self.conversation = conversation
        self._name = name
        self._exchanges = exchanges
        self._pace = pace
        self._speakers = sorted({name for exchange in exchanges for name, _ in exchange})
        self.listener = self._speakers[0]
        self._visits: asyncio.Queue[Frame] = asyncio.Queue(MAX_VISITS)
        self._own = own

    def hear(self, message: Frame) -> None:
        """Notes a message of someone who is not of the demo. More than five unanswered ones are not noted."""
        if message["sent_by"]["id"] not in self._own:
            with suppress(asyncio.QueueFull):
                self._visits.put_nowait(message)

    async def run(self, sockets: Mapping[str, DemoSocket]) -> None:
        while True:
            for exchange in random.sample(self._exchanges, len(self._exchanges)):
                for name, text in exchange:
                    await self._say(sockets, name, text)
                    await self._pause(sockets, *BETWEEN_LINES)
                await self._pause(sockets, *BETWEEN_EXCHANGES)

    async def _say(self, sockets: Mapping[str, DemoSocket], name: str, text: str, reply_to: int | None = None) -> None:
        typing = min(LONGEST_TYPING, len(text) / CHARACTERS_PER_SECOND)
        seq = await sockets[name].say(self.conversation, text, typing=typing, reply_to=reply_to)
        if seq is None:
            return
        print(f"  {self._name:<13} {name}: {text}", flush=True)
        for other in self._speakers:
            if other != name and random.random() < READERS:
                await sockets[other].read(self.conversation, seq)

    async def _pause(self, sockets: Mapping[str, DemoSocket], least: float, most: float) -> None:
        """Waits, and answers whoever visits meanwhile."""
        ends = asyncio.get_running_loop().time() + self._pace * random.uniform(least, most)
        while (left := ends - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(left):
                    visit = await self._visits.get()
            except TimeoutError:
                return
            name = random.choice(self._speakers)
            await self._say(sockets, name, random.choice(REPLIES), reply_to=visit["seq"])
