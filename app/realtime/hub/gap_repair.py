"""Reads the changes a room has missed from Postgres and delivers them in log order. `prev` shows skipped positions."""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Counter

from app.domain.errors import Conflict, NotFound, Unavailable
from app.realtime.connection.close_codes import RESTARTING
from app.realtime.hub.fan_out import group_by_conversation
from app.realtime.hub.hub import Hub
from app.realtime.hub.room import Room

log = structlog.get_logger(__name__)

CHANGES_PER_PAGE = 200

REPAIRS = Counter("chat_gap_repairs", "Repairs of rooms that missed events, by outcome.", ["outcome"])


class GapRepair:
    """Runs at most one repair per room."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, hub: Hub, room: Room) -> None:
        if room.repairing:
            return
        room.repairing = True
        task = asyncio.create_task(self._run(hub, room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, hub: Hub, room: Room) -> None:
        postponed, outcome = False, "repaired"
        try:
            await self._read(hub, room)
        except Unavailable as error:
            postponed, outcome = True, "postponed"
            log.warning("repair_postponed", conversation=str(room.conversation), code=error.code)
        except (Conflict, NotFound):
            outcome = "impossible"
            # The log differs from what was delivered (a restored backup): all subscribers must reconnect.
            log.error("repair_impossible", conversation=str(room.conversation), delivered=room.delivered)
            for connection in room.connections:
                connection.close(RESTARTING, flush=True)
        except Exception:
            postponed, outcome = True, "failed"
            log.exception("repair_failed", conversation=str(room.conversation))
        finally:
            room.repairing = False
        REPAIRS.labels(outcome).inc()
        if not room.connections:
            return
        if postponed:
            hub.postpone_repair(room)
            return
        hub.drain(room)
        if room.has_gap:
            hub.schedule_repair(room)

    async def _read(self, hub: Hub, room: Room) -> None:
        expected = set(room.held or ())
        complete = False
        while room.connections and not complete:
            changes = await hub.reads.changes(room.conversation, room.delivered, CHANGES_PER_PAGE)
            for run in group_by_conversation(changes.items):
                if run[0].prev == room.delivered:
                    hub.deliver(room, run)
            complete = changes.complete
        # A change held since before the read that is not in the log does not exist: stop waiting for it.
        held = {prev: change for prev, change in (room.held or {}).items() if prev not in expected}
        room.held = held or None
        room.target = max((change.position for change in held.values()), default=room.delivered)
