"""Reads the changes a room has missed from Postgres and delivers them in log order. `prev` shows skipped positions."""

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
    """Runs at most one repair per room."""

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
            # The next successful poll starts it again.
            self._hub.behind.add(room)
            log.warning("repair_postponed", conversation=str(room.conversation), code=error.code)
        except (Conflict, NotFound):
            # The log differs from what was delivered (a restored backup): all subscribers must reconnect.
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
        # A change held since before the read that is not in the log does not exist: stop waiting for it.
        held = {prev: change for prev, change in (room.held or {}).items() if prev not in expected}
        room.held = held or None
        room.target = max((change.position for change in held.values()), default=room.delivered)
