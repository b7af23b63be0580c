"""Defects of removal: whoever was let in once still hears, or still reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.domain.conversations.doors import Door, Pair
from app.domain.errors import ChatError
from app.domain.events import Change
from app.realtime.connections import Connection
from app.realtime.hub import Hub
from app.realtime.pages import Pages
from app.realtime.rooms import Room
from tests.chaos.checks import reading
from tests.chaos.mutations.declared import fire, mutation, replace


@mutation("I7", reading.removal_cuts_off, seconds=14.0)
def removed_still_hear() -> None:
    """The sockets of who was removed go on hearing."""

    def ignore(self: Hub, room: Room, connections: Sequence[Connection], change: Change) -> None:
        fire(len(connections))

    replace(Hub, "_revoke", lambda _: ignore)


@mutation("I7", reading.removal_cuts_off, seconds=14.0)
def removed_still_read() -> None:
    """What a member has read, whoever asks may read."""
    seen: dict[UUID, Door] = {}

    def remembering(open_doors: Any) -> Any:
        async def answer(self: Pages, pairs: Sequence[Pair]) -> Sequence[Door | ChatError]:
            doors = list(await open_doors(self, pairs))
            for at, (pair, door) in enumerate(zip(pairs, doors, strict=True)):
                if isinstance(door, Door):
                    seen[pair.conversation] = door
                elif pair.conversation in seen:
                    fire()
                    doors[at] = seen[pair.conversation]
            return doors

        return answer

    replace(Pages, "_open", remembering)
