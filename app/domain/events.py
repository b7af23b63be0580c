"""All events, declared once: a closed union, encoded as the same bytes on every path.

A domain function *records* what it changed (`record(session, …)`); `app.db.transaction` publishes it after COMMIT,
never before, and no caller has to remember it. A `LogChange` is durable: it carries `position` and `prev`, the
preceding position, so that a receiver detects a gap. The other events may be lost: a later read finds the same facts.
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
    """One durable, committed change of a conversation.

    `data` is the JSON of the row's view. `subject` is the user of a member change. `last_seq` is the conversation's
    after the change; `seq` is the message's. `edited` is the conversation's `edited_position` after the change and
    `edited_before` the value it replaces: equal, unless the change made a cached message stale. `shown` lists the users
    who had hidden the conversation and see it again because of this message.
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

    @property
    def joining(self) -> tuple[UUID, ...]:
        """The users whose list of conversations gains this one with the change."""
        return (self.subject,) if self.type in BEGINNINGS and self.subject is not None else self.shown


class ReadMoved(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=2):
    """A read cursor moved. Sent to the members of `small` conversations (up to 200), else to the user's own devices."""

    conversation: UUID
    user: UUID
    seq: int
    small: bool


class LoginsEnded(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=3):
    """These login sessions have ended: their sockets close within 2 s, on every process.

    `refused`: the account is suspended, so logging in again will not succeed.
    """

    sessions: tuple[UUID, ...]
    refused: bool = False


class Announced(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=4):
    """A broadcast was sent; `number` is its place in order. Each process reads audience and content from Postgres."""

    number: int


class PoliciesChanged(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=5):
    """A throttle policy changed: every process reloads the policies at once, instead of within a second."""


class ListTurned(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=6):
    """`user` hid the conversation or shows it again; the user's sockets receive the state that Postgres holds."""

    conversation: UUID
    user: UUID


Outgoing = LogChange | ReadMoved | LoginsEnded | Announced | PoliciesChanged | ListTurned


class FollowUp(NamedTuple):
    """Work after a commit, derived from rows: a `mail` to send, or a `person` whose rename or closure must spread.

    May be lost: a sweep finds undone work in the rows.
    """

    kind: Literal["mail", "person"]
    id: UUID


SMALL_CONVERSATION = 200
"""Up to this many members, read marks and presence of others are delivered (contract, frame `read`)."""


class PendingChanges(Protocol):
    """Holds a transaction's events until its COMMIT: a session, or `app.db.AutocommitStatement`."""

    @property
    def info(self) -> dict[Any, Any]: ...


def record(session: PendingChanges, *events: Outgoing) -> None:
    """Records events; they are published once this session's transaction is committed, in the order recorded."""
    session.info.setdefault("outgoing", []).extend(events)


def recorded(session: PendingChanges) -> list[Outgoing]:
    """Returns the events recorded so far; for `app.db`, after COMMIT."""
    events: list[Outgoing] = session.info.get("outgoing", [])
    return events


def enqueue_after_commit(session: PendingChanges, follow_up: FollowUp) -> None:
    """Enqueues the follow-up once this session's transaction is committed."""
    session.info.setdefault("follow_ups", []).append(follow_up)


def follow_ups(session: PendingChanges) -> list[FollowUp]:
    """Returns the follow-ups added so far; for `app.db`, after COMMIT."""
    added: list[FollowUp] = session.info.get("follow_ups", [])
    return added
