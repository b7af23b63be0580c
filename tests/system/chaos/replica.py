"""A client that holds only what its socket delivered, by the same rules live and when a record is checked.

The rules are those of docs/realtime.md: apply what follows the own position, drop what is older, send `resume` if
something is missing, load again after `reset`. Rows stay the bytes they came as.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tests.system.chaos.record import Entry, Json, Timeline

Wish = Literal["resume", "load"]


class Frame(msgspec.Struct):
    """The fields a client looks at before it looks at `data`."""

    type: str
    conversation: str = ""
    position: int = 0
    prev: int = -1
    data: msgspec.Raw = msgspec.Raw()
    user: Any = None
    seq: int = 0
    ref: Any = None
    conversations: Any = None
    next: bool = False
    code: str = ""


class Subject(msgspec.Struct):
    id: str


class Key(msgspec.Struct):
    """What names a row: the seq of a message, or the person of a membership."""

    seq: int = 0
    id: str = ""
    user: Subject | None = None
    left_at: str | None = None
    sent_by: Subject | None = None


decode = msgspec.json.Decoder(Frame).decode
key_of = msgspec.json.Decoder(Key).decode


class Held:
    """One conversation as a client holds it; `line` is its line of the list."""

    def __init__(self, line: Json, position: int) -> None:
        self.line = line
        self.position = position
        self.known = line["position"]
        """The position of the newest line that was given."""
        self.received: int = line["position"]
        """The position the socket has delivered. Loaded state may be ahead of it, and is then delivered once more."""
        self.messages: dict[int, msgspec.Raw | bytes] = {}
        self.members: dict[str, msgspec.Raw | bytes] = {}
        self.facts: msgspec.Raw | bytes | None = None
        self.requested: set[object] = set()
        """`resume`s in progress: what is delivered during them may be delivered again."""
        self.loading: list[Frame] | None = None


class Replica:
    """`take` every entry in order; it answers what the client must do now, if anything."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.held: dict[str, Held] = {}
        self.gone: set[str] = set()
        self.wrong: list[str] = []
        self.gaps: list[str] = []
        """Conversations with a gap for which no `resume` has been sent yet."""
        self.steps: dict[tuple[str, int], str] = {}
        """What moved a conversation to a position, where one change did."""
        self.ids: dict[tuple[str, int], str] = {}
        self.applied = 0
        self._unheard: set[str] = set()

    def take(self, entry: Entry) -> list[tuple[Wish, str]]:
        if entry.kind == "received":
            return self._told(decode(entry.data))
        if entry.kind == "resume":
            ref, conversations = entry.data
            for conversation in conversations:
                if conversation in self.held:
                    self.held[conversation].requested.add(ref)
                self.gaps = [one for one in self.gaps if one != conversation]
        elif entry.kind == "loaded":
            return self._loaded(entry.data)
        elif entry.kind == "opened":
            self.gaps = []
            for held in self.held.values():
                held.requested.clear()
                held.loading = None
        return []

    def _told(self, frame: Frame) -> list[tuple[Wish, str]]:
        if frame.type in ("hello", "conversations"):
            return self._greeted(frame)
        if frame.prev >= 0:
            return self._changed(frame)
        if frame.type == "access.revoked":
            self.held.pop(frame.conversation, None)
            self.gone.add(frame.conversation)
        elif frame.type == "read":
            held = self.held.get(frame.conversation)
            if held is not None and frame.user == self.user:
                held.line["read_seq"] = max(held.line["read_seq"], frame.seq)
        elif frame.type == "caught_up":
            for held in self.held.values():
                held.requested.discard(frame.ref)
        elif frame.type == "reset":
            held = self.held.get(frame.conversation)
            if held is not None:
                held.loading = []
                return [("load", frame.conversation)]
        return []

    def _greeted(self, frame: Frame) -> list[tuple[Wish, str]]:
        wishes: list[tuple[Wish, str]] = []
        if frame.type == "hello":
            self._unheard = set(self.held)
        for line in frame.conversations:
            conversation = line["id"]
            self._unheard.discard(conversation)
            self.gone.discard(conversation)
            held = self.held.get(conversation)
            if held is None:
                wishes.append(self._given(line))
            else:
                held.line, held.received = line, line["position"]
                if held.position != line["position"]:
                    wishes.append(("resume", conversation))
        if not frame.next:
            # The user is no longer in conversations that the snapshot lacks.
            for conversation in self._unheard:
                self.held.pop(conversation, None)
            self._unheard = set()
        return wishes

    def _given(self, line: Json) -> tuple[Wish, str]:
        held = self.held[line["id"]] = Held(line, 0)
        if line["position"] <= 1_000:
            return "resume", line["id"]
        held.loading = []
        return "load", line["id"]

    def _changed(self, frame: Frame) -> list[tuple[Wish, str]]:
        conversation = frame.conversation
        held = self.held.get(conversation)
        if frame.type == "conversation.created":
            self.gone.discard(conversation)
            line: Json = msgspec.json.decode(frame.data)
            if held is None:
                return [self._given(line)]
            held.line = line
            held.known = held.received = line["position"]
            return [("resume", conversation)] if held.position < frame.position else []
        if held is not None and held.loading is not None:
            held.loading.append(frame)
            held.received = max(held.received, frame.position)
            return []
        if held is None:
            why = "after its access was revoked" if conversation in self.gone else "that it was never given"
            self.wrong.append(f"told {frame.type} at {frame.position} of {conversation} {why}")
            return []
        if frame.position <= held.position:
            if not held.requested and frame.position <= held.received:
                self.wrong.append(
                    f"told {frame.type} at {frame.position} of {conversation}, which stood at {held.position}: twice"
                )
            held.received = max(held.received, frame.position)
            return []
        if frame.prev != held.position:
            if held.requested:
                return []
            self.gaps.append(conversation)
            return [("resume", conversation)]
        self._apply(held, frame)
        return []

    def _apply(self, held: Held, frame: Frame) -> None:
        self.applied += 1
        conversation, data, key = frame.conversation, frame.data, key_of(frame.data)
        held.position = frame.position
        held.received = max(held.received, frame.position)
        name = "itself"
        if frame.type.startswith("message."):
            name = f"message {key.seq}"
            held.messages[key.seq] = data
            self._number(conversation, key.seq, key.id)
            if frame.type == "message.created":
                held.line["last_seq"] = max(held.line["last_seq"], key.seq)
                if key.sent_by is not None and key.sent_by.id == self.user:
                    held.line["read_seq"] = max(held.line["read_seq"], key.seq)
        elif key.user is not None:
            name = f"member {key.user.id}"
            if key.left_at is None:
                held.members[key.user.id] = data
            else:
                held.members.pop(key.user.id, None)
        else:
            held.facts = data
        if frame.prev == frame.position - 1:
            self._step(conversation, frame.position, name)

    def _step(self, conversation: str, position: int, name: str) -> None:
        if self.steps.setdefault((conversation, position), name) != name:
            self.wrong.append(f"{conversation} at {position} is {name} and {self.steps[conversation, position]}")

    def _number(self, conversation: str, seq: int, message: str) -> None:
        if self.ids.setdefault((conversation, seq), message) != message:
            self.wrong.append(f"message {seq} of {conversation} has two ids")

    def _loaded(self, data: Json) -> list[tuple[Wish, str]]:
        held = self.held.get(data["conversation"])
        if held is None or held.loading is None:
            return []
        waiting, held.loading = held.loading, None
        # A read mark delivered during the load is missing from a line read before it.
        read_seq = max(held.line["read_seq"], data["line"]["read_seq"])
        held.position, held.line = data["position"], {**data["line"], "read_seq": read_seq}
        held.messages = {message["seq"]: msgspec.json.encode(message) for message in data["messages"]}
        held.members = {member["user"]["id"]: msgspec.json.encode(member) for member in data["members"]}
        held.facts = None
        for message in data["messages"]:
            self._number(data["conversation"], message["seq"], message["id"])
        # Live ones that came while it was loaded: the older ones are in it.
        wishes = [wish for frame in waiting if frame.position > held.position for wish in self._changed(frame)]
        if held.position < held.known and not wishes:
            # Created before the line was given: the changes between went to sockets that had the conversation then.
            return [("resume", data["conversation"])]
        return wishes[:1]


def replay(timeline: Timeline) -> Replica:
    """The replica these entries make, when all of them have come."""
    if timeline.made is None:
        timeline.made = replica = Replica(timeline.user)
        for entry in timeline.entries:
            replica.take(entry)
    made: Replica = timeline.made
    return made
