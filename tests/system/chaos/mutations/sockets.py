"""Defects of live delivery: which frames a room's sockets receive, and what a `resume` brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.server import ServerProtocol

from app.domain.events import LogChange
from app.domain.messages.changes import Changes
from app.realtime.connection import connection
from app.realtime.connection.connection import Connection
from app.realtime.frames.frame_encoder import Frame
from app.realtime.hub import hub
from app.realtime.hub.gap_repair import CHANGES_PER_PAGE, GapRepair
from app.realtime.hub.hub import Hub
from app.realtime.hub.hub_queries import HubReads
from app.realtime.hub.room import Room
from app.server.frame_counter import FrameParser
from tests.system.chaos.checks import faults, sending, views
from tests.system.chaos.mutations.declared import fire, mutation, one_in, replace

Run = Sequence[LogChange]
Tell = Callable[[Room, Run], None]


class Concealed:
    """The position from which a room received nothing: its next frame claims to follow on that."""

    def __init__(self) -> None:
        self._since: dict[UUID, int] = {}

    def note(self, conversation: UUID, position: int) -> None:
        fire()
        self._since.setdefault(conversation, position)

    def telling(self, tell: Tell) -> Tell:
        def tell_room(room: Room, run: Run) -> None:
            since = self._since.pop(room.conversation, None)
            tell(room, run if since is None else [msgspec.structs.replace(run[0], prev=since), *run[1:]])

        return tell_room


@mutation("I10", views.views_equal_a_fresh_read)
def event_dropped() -> None:
    """One change in thirty is not delivered, and `prev` of the next one hides the gap."""
    concealed, chosen = Concealed(), one_in(30)

    def losing(tell: Tell) -> Tell:
        honest = concealed.telling(tell)

        def tell_room(room: Room, run: Run) -> None:
            if chosen() and not room.ahead:
                concealed.note(room.conversation, run[0].prev)
            else:
                honest(room, run)

        return tell_room

    replace(hub, "deliver_to_room", losing)


@mutation("I3", views.frames_follow_on_each_other)
def event_told_twice() -> None:
    """One change in thirty is delivered twice."""
    chosen = one_in(30)

    def twice(tell: Tell) -> Tell:
        def tell_room(room: Room, run: Run) -> None:
            tell(room, run)
            if chosen() and not room.ahead:
                fire()
                tell(room, run)

        return tell_room

    replace(hub, "deliver_to_room", twice)


@mutation("I3", sending.there_is_one_order, rate=130)
def neighbours_exchanged() -> None:
    """Two changes of one commit are delivered in the wrong order."""

    def exchanging(tell: Tell) -> Tell:
        def tell_room(room: Room, run: Run) -> None:
            if len(run) > 1:
                fire()
                first, second = (msgspec.structs.replace(run[at], data=run[1 - at].data) for at in (0, 1))
                run = [first, second, *run[2:]]
            tell(room, run)

        return tell_room

    replace(hub, "deliver_to_room", exchanging)


@mutation("I10", views.views_equal_a_fresh_read, faults=("Redis down 1 s",))
def repair_skipped() -> None:
    """A room with a gap is marked complete, and `prev` of its next event hides the gap."""
    concealed = Concealed()

    async def skip(self: GapRepair, on: Hub, room: Room) -> None:
        changes = await on.reads.changes(room.conversation, room.delivered, CHANGES_PER_PAGE)
        if changes.items:
            concealed.note(room.conversation, room.delivered)
        room.held, room.delivered, room.target = None, changes.position, changes.position

    replace(hub, "deliver_to_room", concealed.telling)
    replace(GapRepair, "_read", lambda _: skip)


@mutation("I11", faults.every_fault_was_survived, faults=("a socket that stops reading",))
def slow_reader_kept() -> None:
    """The queue of a socket is unbounded."""

    def boundless(has_room: Any) -> Any:
        def always(self: Connection, frame: Frame) -> bool:
            fire(not has_room(self, frame))
            return True

        return always

    replace(Connection, "_has_room", boundless)
    replace(connection, "STUCK_SECONDS", lambda _: float("inf"))


@mutation("I11", faults.every_fault_was_survived, faults=("a flood of frames",))
def control_frame_not_counted() -> None:
    """Pings and pongs do not count as frames."""

    def uncounted(receive: Any) -> Any:
        def take_in(self: FrameParser, frame: WireFrame) -> None:
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                fire()
                ServerProtocol.recv_frame(self, frame)
            else:
                receive(self, frame)

        return take_in

    replace(FrameParser, "recv_frame", uncounted)


@mutation("I6", views.views_equal_a_fresh_read)
def resume_without_changes() -> None:
    """A `resume` is answered with `caught_up` but without the missed events."""

    def empty(changes_for: Any) -> Any:
        async def answer(self: HubReads, user: UUID, conversation: UUID, after: int, limit: int) -> Any:
            found = await changes_for(self, user, conversation, after, limit)
            if found is None:
                return None
            door, changes = found
            fire(bool(changes.items))
            return door, Changes(items=[], views=[], position=door.position, complete=True)

        return answer

    replace(HubReads, "changes_for", empty)
