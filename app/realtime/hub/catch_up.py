"""One socket catches up on one conversation: it receives the changes after its position, and is then subscribed.

During the catch-up the socket is not subscribed to the conversation, so no live event can overtake the changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, Literal, ParamSpec, TypeVar
from uuid import UUID

from app.domain.errors import Conflict, Unavailable
from app.domain.events import ENDINGS, ReadMoved
from app.realtime.connection.connection import Connection, ConnectionGone
from app.realtime.frames.answer_frames import Reset
from app.realtime.frames.frame_encoder import change_frame, frame_of
from app.realtime.hub.ephemeral import read_frame
from app.realtime.hub.fan_out import reason_of
from app.realtime.hub.hub import Hub

MAX_CHANGES = 1_000
"""A conversation with more missed changes is answered with `reset` (contract)."""

CHANGES_PER_PAGE = 50
"""Small, because a page waits in memory for a slow reader."""

RETRY_SECONDS = 0.5

P = ParamSpec("P")
Result = TypeVar("Result")
Outcome = Literal["caught_up", "reset", "revoked"]


async def catch_up(
    hub: Hub, connection: Connection, conversation: UUID, position: int, ref: str | int | None = None
) -> tuple[Outcome, int]:
    """Send `connection` the changes after `position` and subscribe it. Returns the outcome and the position reached.

    Sends `reset` if too many changes were missed or `position` is from the future, and subscribes from the current
    position. Sends `access.revoked` if the user is not a member. A conversation whose access was revoked on this socket
    is not caught up on; if the user is a member again, a join sends it whole.

    Raises:
        ConnectionGone: the socket is closed.
    """
    hub.pause(connection, conversation)
    revoked = connection.is_revoked(conversation)
    try:
        with hub.snapshot_buffer.recording():
            cursor = hub.snapshot_buffer.cursor()
            outcome: Outcome = "revoked"
            if not revoked:
                outcome, position = await _read(hub, connection, conversation, position, ref)
            rejoined = conversation in hub.snapshot_buffer.joined_after(cursor, connection.user)
    finally:
        connection.catching_up.pop(conversation, None)
    if outcome == "revoked" and (rejoined or (revoked and await _is_member(hub, connection, conversation))):
        hub.join(connection.user, conversation)
    return outcome, position


async def _read(
    hub: Hub, connection: Connection, conversation: UUID, position: int, ref: str | int | None
) -> tuple[Outcome, int]:
    sent, count = position, 0
    while True:
        cursor = hub.snapshot_buffer.cursor()
        try:
            found = await retry_while_unavailable(
                connection, hub.reads.changes_for, conversation, sent, CHANGES_PER_PAGE
            )
        except Conflict:
            return await _reset(hub, connection, conversation, ref)
        if found is None or found[0].is_hidden:
            # A `resume` may name thousands of foreign conversations: their answers are subject to back-pressure, too.
            await connection.wait_for_space()
            connection.revoke(conversation, "not_a_member" if found is None else "hidden")
            return "revoked", sent
        access, changes = found
        if await _too_many(hub, connection, conversation, sent, count, access.position):
            return await _reset(hub, connection, conversation, ref)
        for change in changes.items:
            await connection.wait_for_space()
            connection.put(frame_of(change_frame(change)))
            if change.subject == connection.user and change.type in ENDINGS:
                # Removed between reading the membership and reading the changes: no later change may be sent.
                connection.revoke(conversation, reason_of(change))
                return "revoked", change.position
        sent, count = changes.position, count + len(changes.items)
        if changes.complete:
            _send_read(connection, conversation, access.read_seq)
            further = hub.subscribe(connection, conversation, sent, access.read_seq, cursor)
            if connection.close_code is not None:
                raise ConnectionGone
            if further is None:
                return "caught_up", sent
            sent = further


async def _is_member(hub: Hub, connection: Connection, conversation: UUID) -> bool:
    return not isinstance(await retry_while_unavailable(connection, hub.reads.summary, conversation), str)


def _send_read(connection: Connection, conversation: UUID, read_seq: int) -> None:
    """Send `read` if the user has read further on another device during the catch-up."""
    if read_seq > connection.catching_up.get(conversation, 0):
        moved = ReadMoved(conversation=conversation, user=connection.user, seq=read_seq, small=False)
        connection.put(read_frame(moved))
        connection.catching_up[conversation] = read_seq


async def retry_while_unavailable(
    connection: Connection, read: Callable[Concatenate[UUID, P], Awaitable[Result]], *args: P.args, **kwargs: P.kwargs
) -> Result:
    """Call `read` for the connection's user, and retry while the database is unavailable.

    Raises:
        ConnectionGone: the socket is closed.
    """
    while connection.close_code is None:
        try:
            return await read(connection.user, *args, **kwargs)
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
    raise ConnectionGone


async def _too_many(hub: Hub, connection: Connection, conversation: UUID, sent: int, count: int, position: int) -> bool:
    """Whether more than `MAX_CHANGES` follow. Positions are an upper bound, so counting is rarely necessary."""
    if count + position - sent <= MAX_CHANGES:
        return False
    if count:
        return count > MAX_CHANGES
    found = await retry_while_unavailable(connection, hub.reads.changes_for, conversation, sent, MAX_CHANGES)
    return found is not None and not found[1].complete


async def _reset(hub: Hub, connection: Connection, conversation: UUID, ref: str | int | None) -> tuple[Outcome, int]:
    connection.put(frame_of(Reset(ref=ref, conversation=conversation)))
    while True:
        cursor = hub.snapshot_buffer.cursor()
        summary = await retry_while_unavailable(connection, hub.reads.summary, conversation)
        if isinstance(summary, str):
            connection.revoke(conversation, summary)
            return "revoked", 0
        if hub.subscribe(connection, conversation, summary.position, summary.read_seq, cursor) is None:
            return "reset", summary.position
