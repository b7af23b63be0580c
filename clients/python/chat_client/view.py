"""The client's state, maintained by the rules of docs/realtime.md; no network here.

`take` each frame in order. It returns events and records what to request: `missed` (send `resume` with the positions
from `begin_resume`) and `resets` (fetch again, then call `reload`). A conversation advances from position to position
without a gap: a change that does not follow the current position is not applied.
"""

from __future__ import annotations

from collections.abc import Iterator

from chat_client.events import (
    Announced,
    Connected,
    ConversationAdded,
    ConversationRemoved,
    Event,
    GapFound,
    Notified,
    Presence,
    ReadMoved,
    Reset,
    Typing,
    Unknown,
)
from chat_client.held import Held
from chat_client.rows import Broadcast, Conversation, Json, Message, Notification, row

ANSWERS = frozenset({"ack", "throttled", "pong"})


class View:
    """Holds at most `keep` messages per conversation."""

    def __init__(self, keep: int) -> None:
        self.user = ""
        self.held: dict[str, Held] = {}
        self.missed: set[str] = set()
        self.resets: set[str] = set()
        self._keep = keep
        self._unheard: set[str] = set()

    def connected(self) -> None:
        """Resets what was in progress on the previous socket."""
        self.missed.clear()
        self.resets.clear()
        for held in self.held.values():
            held.resume_ref = None
            if held.waiting is not None:
                # Its reload did not finish: buffer frames from this socket's `hello` on.
                self.resets.add(held.line.id)
                held.waiting = []

    def begin_resume(self, ref: object, most: int) -> dict[str, int]:
        """Returns at most `most` positions to `resume` from, marked as requested under `ref`. The rest stay missed."""
        missed = [one for one in self.missed if one in self.held and self.held[one].resume_ref is None]
        self.missed = set(missed[most:])
        missed = missed[:most]
        for conversation in missed:
            self.held[conversation].resume_ref = ref
        return {one: self.held[one].line.position for one in missed}

    def take(self, frame: Json) -> list[Event]:
        """Applies a frame and returns its events. Raises KeyError, ValueError or TypeError for an invalid frame."""
        kind = frame["type"]
        if kind in ("hello", "conversations"):
            return list(self._greeted(frame))
        if "prev" in frame:
            return self._changed(frame)
        if kind == "access.revoked":
            return self._revoked(frame["conversation"], frame["reason"])
        if kind in ("caught_up", "error"):
            return self._answered(frame["ref"], refused=kind == "error")
        if kind == "reset":
            found = self.held.get(frame["conversation"])
            if found is not None and found.waiting is None:
                found.waiting = []
                self.resets.add(found.line.id)
            return []
        return [] if kind in ANSWERS else [self._fleeting(frame)]

    def reload(self, conversation: str, line: Conversation, messages: list[Message]) -> list[Event]:
        """Replaces a conversation by its fetched state, applies the frames buffered since, and returns the events."""
        held = self.held.get(conversation)
        if held is None or held.waiting is None:
            return []
        waiting, fresh = held.waiting, Held(line, self._keep)
        if held.line.position <= line.position:
            # A read cursor that moved after the entry was read is missing from it. (A restored backup is older.)
            fresh.read(held.line.read_seq)
        fresh.load(messages)
        self.held[conversation] = fresh
        events: list[Event] = [Reset(fresh.line)]
        for frame in waiting:
            events += self._changed(frame)
        return events

    def _greeted(self, frame: Json) -> Iterator[Event]:
        if frame["type"] == "hello":
            self.user = frame["user"]
            self._unheard = set(self.held)
            yield Connected(self.user)
        for entry in frame["conversations"]:
            line = row(Conversation, entry)
            self._unheard.discard(line.id)
            yield from self._listed(line)
        if not frame["next"]:
            # The user is no longer in conversations that the snapshot lacks.
            for conversation in self._unheard:
                yield from self._revoked(conversation, "not_a_member")
            self._unheard = set()

    def _listed(self, line: Conversation) -> list[Event]:
        held, events = self.held.get(line.id), list[Event]()
        if held is None:
            self.held[line.id] = Held(line, self._keep)
            return [ConversationAdded(line)]
        if held.line.position != line.position and held.waiting is None:
            self.missed.add(line.id)
            events.append(GapFound(line.id, held.line.position))
        held.read(line.read_seq)  # read cursors are not replayed
        return events

    def _changed(self, frame: Json) -> list[Event]:
        conversation, position = frame["conversation"], frame["position"]
        held = self.held.get(conversation)
        is_beginning = frame["type"] == "conversation.created"
        if is_beginning:
            self._unheard.discard(conversation)  # the rest of the snapshot leaves it out
        if held is None:
            if not is_beginning:
                return []
            self.held[conversation] = Held(row(Conversation, frame["data"]), self._keep)
            return [ConversationAdded(self.held[conversation].line)]
        if held.waiting is not None:
            held.wait(frame)
            return []
        if position <= held.line.position:
            return []
        if is_beginning or frame["prev"] != held.line.position:
            if held.resume_ref is not None or conversation in self.missed:
                return []
            self.missed.add(conversation)
            return [GapFound(conversation, held.line.position)]
        return held.apply(frame, self.user)

    def _answered(self, ref: object, *, refused: bool) -> list[Event]:
        """Ends a `resume`. A refused one is sent again with the next `resume`."""
        for held in self.held.values():
            if ref is not None and held.resume_ref == ref:
                held.resume_ref = None
                if refused:
                    self.missed.add(held.line.id)
        return []

    def _revoked(self, conversation: str, reason: str) -> list[Event]:
        self.missed.discard(conversation)
        self.resets.discard(conversation)
        return [ConversationRemoved(conversation, reason)] if self.held.pop(conversation, None) else []

    def _fleeting(self, frame: Json) -> Event:
        match frame["type"]:
            case "read":
                held = self.held.get(frame["conversation"])
                if held is not None and frame["user"] == self.user:
                    held.read(frame["seq"])
                return ReadMoved(frame["conversation"], frame["user"], frame["seq"])
            case "typing":
                return Typing(frame["conversation"], frame["user"], frame["expires_in"])
            case "presence":
                return Presence(frame["conversation"], frame["user"], frame["online"])
            case "notification":
                return Notified(row(Notification, frame))
            case "broadcast":
                return Announced(row(Broadcast, frame))
            case kind:
                return Unknown(kind)
