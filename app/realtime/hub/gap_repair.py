"""Reading from Postgres what a room has missed, and going on: the same order, with `prev` telling how far it jumps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from app.domain.errors import Conflict, NotFound, Unavailable
from app.realtime.connection.close_codes import RESTARTING
from app.realtime.hub.fan_out import group_by_conversation
from app.realtime.hub.room import Room

if TYPE_CHECKING:
    from app.realtime.hub.hub import Hub

log = structlog.get_logger(__name__)

CHANGES_PER_PAGE = 200


class GapRepair:
    """At most one repair a room."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, room: Room) -> None:
        if room.repairing:
            return
        room.repairing = True
        task = asyncio.create_task(self._run(room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, room: Room) -> None:
        try:
            await self._read(room)
        except Unavailable as error:
            # The next successful look starts it again.
            self._hub.behind.add(room)
            log.warning("repair_postponed", conversation=str(room.conversation), code=error.code)
        except (Conflict, NotFound):
            # The log is not the one that was told (a restored backup): those who listen begin anew.
            log.error("repair_impossible", conversation=str(room.conversation), delivered=room.delivered)
            for connection in room.connections:
                connection.close(RESTARTING, flush=True)
        except Exception:
            self._hub.behind.add(room)
            log.exception("repair_failed", conversation=str(room.conversation))
        finally:
            room.repairing = False
        if room.connections and room not in self._hub.behind:
            self._hub.drain(room)
            if room.behind:
                self._hub.wait(room)

    async def _read(self, room: Room) -> None:
        expected = set(room.held or ())
        complete = False
        while room.connections and not complete:
            changes = await self._hub.journal.changes(room.conversation, room.delivered, CHANGES_PER_PAGE)
            for run in group_by_conversation(changes.items):
                if run[0].prev == room.delivered:
                    self._hub.deliver(room, run)
            complete = changes.complete
        # What was announced before the read and is not in the log does not exist: nothing waits for it any longer.
        held = {prev: change for prev, change in (room.held or {}).items() if prev not in expected}
        room.held = held or None
        room.target = max((change.position for change in held.values()), default=room.delivered)
