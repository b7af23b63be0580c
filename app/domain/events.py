"""The vocabulary of what happens, declared once: a closed union of frames, the same bytes on every path.

A verb *records* what it changed (`record(session, …)`); `app.db.transaction` hands it over after COMMIT and never
before, and no caller has to remember it. A `LogChange` is durable: it carries `position` and `prev`, the position it
follows on, so that a receiver sees a gap. The others may be lost: what they say is found again by reading.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

import msgspec

ChangeType = Literal[
    "message.created",
    "message.updated",
    "message.deleted",
    "conversation.created",
    "conversation.updated",
    "conversation.deleted",
    "member.joined",
    "member.added",
    "member.left",
    "member.removed",
    "member.promoted",
    "member.demoted",
    "member.updated",
]

ENDINGS = frozenset({"member.left", "member.removed"})
BEGINNINGS = frozenset({"member.joined", "member.added"})

encode_data = msgspec.json.Encoder().encode


class LogChange(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=1):
    """One durable change of a conversation, committed.

    `data` is the JSON of the row's view. `subject` is the user a member change is about. `last_seq` is the
    conversation's after the change; `seq` the message's. `edited` is the conversation's `edited_position` after the
    change and `edited_before` the value it replaces: equal, unless the change made a cached message stale.
    `shown` are those who had hidden the conversation, until this message.
    """

    type: ChangeType
    conversation: UUID
    position: int
    prev: int
    data: bytes
    last_seq: int = 0
    seq: int = 0
    edited: int = 0
    edited_before: int = 0
    subject: UUID | None = None
    shown: tuple[UUID, ...] = ()

    def frame(self) -> bytes:
        """The frame as sent: JSON with `type, conversation, position, prev, data`, in that order."""
        return b'{"type":"%b","conversation":"%b","position":%d,"prev":%d,"data":%b}' % (
            self.type.encode(),
            str(self.conversation).encode(),
            self.position,
            self.prev,
            self.data,
        )


class ReadMoved(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=2):
    """A read cursor moved. Others hear of it in `small` conversations (up to 200 members), else one's own devices."""

    conversation: UUID
    user: UUID
    seq: int
    small: bool

    def frame(self) -> bytes:
        return b'{"type":"read","conversation":"%b","user":"%b","seq":%d}' % (
            str(self.conversation).encode(),
            str(self.user).encode(),
            self.seq,
        )


class LoginsEnded(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=3):
    """These login sessions are over: their sockets close within 2 s, on every process.

    `refused`: because the account is suspended, so that logging in anew does not help.
    """

    sessions: tuple[UUID, ...]
    refused: bool = False


class Announced(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=4):
    """A broadcast was sent; `number` is its place among them. Each process asks Postgres for whom and what."""

    number: int


class PoliciesChanged(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=5):
    """A throttle's policy is another one: every process looks at once, instead of within a second."""


class ListTurned(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=6):
    """`user` hid the conversation or shows it again: which of the two, their sockets are told as Postgres has it."""

    conversation: UUID
    user: UUID


Outgoing = LogChange | ReadMoved | LoginsEnded | Announced | PoliciesChanged | ListTurned


class FollowUp(NamedTuple):
    """Work for afterwards, derived from rows: a `mail` to send, a `person` whose name or membership others must learn.

    May be lost: a sweep finds in the rows what nobody did.
    """

    kind: Literal["mail", "person"]
    id: UUID


SMALL_CONVERSATION = 200
"""Up to this many members, others' read marks and presence are told (contract, frame `read`)."""


class PendingChanges(Protocol):
    """Where a transaction's events wait for its COMMIT: a session, or `app.db.AutocommitStatement`."""

    @property
    def info(self) -> dict[Any, Any]: ...


def record(session: PendingChanges, *events: Outgoing) -> None:
    """Note what happened; it leaves once this session's transaction is committed, in the order recorded."""
    session.info.setdefault("outgoing", []).extend(events)


def recorded(session: PendingChanges) -> list[Outgoing]:
    """What has been recorded so far; for `app.db`, after COMMIT."""
    events: list[Outgoing] = session.info.get("outgoing", [])
    return events


def enqueue_after_commit(session: PendingChanges, errand: FollowUp) -> None:
    """Have it done once this session's transaction is committed."""
    session.info.setdefault("errands", []).append(errand)


def follow_ups(session: PendingChanges) -> list[FollowUp]:
    """What has been entrusted so far; for `app.db`, after COMMIT."""
    errands: list[FollowUp] = session.info.get("errands", [])
    return errands
