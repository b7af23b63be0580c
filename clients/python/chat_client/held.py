"""A conversation held by the client: its entry in the list, and a gapless run of its newest messages.

`floor` is the seq before the run. Events extend the run at its end, loaded pages at its beginning; beyond `keep`
messages the oldest are dropped.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chat_client.events import ConversationChanged, Event, MemberChanged, MessageChanged, What
from chat_client.rows import Conversation, Json, Member, Message, row

WHAT: Final[dict[str, What]] = {
    "message.created": "created",
    "message.updated": "updated",
    "message.deleted": "deleted",
}
MOST_WAITING: Final = 1_000
"""Frames buffered while a conversation is reloaded. Further ones are dropped and repaired like any other gap."""


class Held:
    def __init__(self, line: Conversation, keep: int) -> None:
        self.line = line
        self.floor = line.last_seq
        self.resume_ref: object = None
        """The `ref` of the `resume` in progress."""
        self.waiting: list[Json] | None = None
        """The frames that arrive during a reload; None outside one."""
        self._keep = keep
        self._messages: dict[int, Message] = {}
        self._changed: dict[int, Message] = {}
        self.loads = 0

    @property
    def messages(self) -> list[Message]:
        """Ascending by seq."""
        return [self._messages[seq] for seq in sorted(self._messages)]

    def wait(self, frame: Json) -> None:
        assert self.waiting is not None
        if len(self.waiting) < MOST_WAITING:
            self.waiting.append(frame)

    def apply(self, frame: Json, user: str) -> list[Event]:
        """Applies a change whose `prev` is the current position. `user` is the logged-in user's id."""
        kind, data = frame["type"], frame["data"]
        before, self.line = _shown(self.line), replace(self.line, position=frame["position"])
        events: list[Event] = []
        if kind in WHAT:
            message = row(Message, data)
            self._take(message, user)
            events.append(MessageChanged(WHAT[kind], message))
        elif kind.startswith("member."):
            member = row(Member, data)
            self._meet(member, user)
            events.append(MemberChanged(kind.removeprefix("member."), self.line.id, member))
        else:
            fields = {field: data[field] for field in ("name", "is_private", "creator")}
            changed_at = datetime.fromisoformat(data["updated_at"])
            self.line = replace(self.line, **fields, updated_at=max(self.line.updated_at, changed_at))
        if _shown(self.line) != before:
            events.append(ConversationChanged(self.line))
        return events

    def read(self, seq: int) -> None:
        """Moves the user's read cursor forward to `seq`."""
        self.line = replace(self.line, read_seq=max(self.line.read_seq, seq))

    def load(self, messages: list[Message]) -> None:
        """Prepends `messages` (ascending) if they adjoin the run. Of two versions of a message, the newer is kept."""
        if not messages or messages[-1].seq < self.floor:
            return
        room = self._keep - len(self._messages)
        if room < 1:
            return
        messages = messages[-room:]
        for message in messages:
            known = self._messages.get(message.seq) or self._changed.get(message.seq)
            newest = message if known is None or known.position < message.position else known
            self._messages[message.seq] = newest
        self.floor = min(self.floor, messages[0].seq - 1)

    def loaded(self) -> None:
        """Ends one load."""
        self.loads -= 1
        if not self.loads:
            self._changed.clear()

    def _take(self, message: Message, user: str) -> None:
        line, last = self.line, self.line.last_message
        newest = last is None or message.seq > last.seq
        if newest or (last is not None and message.seq == last.seq and message.position > last.position):
            line = replace(line, last_message=message)
        mine = message.seq if message.sent_by.id == user else 0  # the sender has read the message
        self.line = replace(
            line,
            last_seq=max(line.last_seq, message.seq),
            read_seq=max(line.read_seq, mine),
            updated_at=max(line.updated_at, message.sent_at),
        )
        if message.seq > self.floor:
            self._messages[message.seq] = message
        elif self.loads:
            self._changed[message.seq] = message
        while len(self._messages) > self._keep:
            self.floor = min(self._messages)
            del self._messages[self.floor]

    def _meet(self, member: Member, user: str) -> None:
        line, person = self.line, member.user
        if person.id == user:
            line = replace(line, role=member.role)
        if line.peer is not None and line.peer.id == person.id:
            line = replace(line, peer=person)
        if line.last_message is not None and line.last_message.sent_by.id == person.id:
            line = replace(line, last_message=replace(line.last_message, sent_by=person))
        self.line = line
        for seq, message in self._messages.items():
            if message.sent_by.id == person.id:
                self._messages[seq] = replace(message, sent_by=person)


def _shown(line: Conversation) -> tuple[object, ...]:
    return line.name, line.is_private, line.creator, line.role, line.peer
