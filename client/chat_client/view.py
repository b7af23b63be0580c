"""What a client knows, kept by the rules of docs/realtime.md; no network here.

`take` each frame in order. It answers what happened, and leaves behind what must be asked for: `missed` (say `resume`
with `positions`) and `resets` (load anew, then `reload`). Every conversation moves from position to position, without
a gap: what does not follow on is not applied.
"""

from __future__ import annotations

from collections.abc import Iterator

from chat_client.events import (
    Announced,
    Connected,
    ConversationGiven,
    ConversationGone,
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
    """Keeps at most `keep` messages of a conversation."""

    def __init__(self, keep: int) -> None:
        self.user = ""
        self.held: dict[str, Held] = {}
        self.missed: set[str] = set()
        self.resets: set[str] = set()
        self._keep = keep
        self._unheard: set[str] = set()

    def connected(self) -> None:
        """A new socket: nothing is under way on it."""
        self.missed.clear()
        self.resets.clear()
        for held in self.held.values():
            held.asked = None
            if held.waiting is not None:
                # It never was loaded: what is told of it begins with `hello`.
                self.resets.add(held.line.id)
                held.waiting = []

    def asked(self, ref: object, most: int) -> dict[str, int]:
        """The positions to `resume` from: under `ref`, what is missed comes. The rest of what is missed is kept."""
        missed = [one for one in self.missed if one in self.held and self.held[one].asked is None]
        self.missed = set(missed[most:])
        missed = missed[:most]
        for conversation in missed:
            self.held[conversation].asked = ref
        return {one: self.held[one].line.position for one in missed}

    def take(self, frame: Json) -> list[Event]:
        """What this frame says. Raises KeyError, ValueError or TypeError for what is no frame of ours."""
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
        """It was loaded anew: go on from there."""
        held = self.held.get(conversation)
        if held is None or held.waiting is None:
            return []
        waiting, fresh = held.waiting, Held(line, self._keep)
        if held.line.position <= line.position:
            # A read mark that was told meanwhile is not in a line read before it. (A restored backup is older.)
            fresh.read(held.line.read_seq)
        fresh.load(messages)
        self.held[conversation] = fresh
        told: list[Event] = [Reset(fresh.line)]
        for frame in waiting:
            told += self._changed(frame)
        return told

    def _greeted(self, frame: Json) -> Iterator[Event]:
        if frame["type"] == "hello":
            self.user = frame["user"]
            self._unheard = set(self.held)
            yield Connected(self.user)
        for told in frame["conversations"]:
            line = row(Conversation, told)
            self._unheard.discard(line.id)
            yield from self._listed(line)
        if not frame["next"]:
            # What was not in the snapshot is ours no more.
            for conversation in self._unheard:
                yield from self._revoked(conversation, "not_a_member")
            self._unheard = set()

    def _listed(self, line: Conversation) -> list[Event]:
        held, told = self.held.get(line.id), list[Event]()
        if held is None:
            self.held[line.id] = Held(line, self._keep)
            return [ConversationGiven(line)]
        if held.line.position != line.position and held.waiting is None:
            self.missed.add(line.id)
            told.append(GapFound(line.id, held.line.position))
        held.read(line.read_seq)  # read marks are not told again
        return told

    def _changed(self, frame: Json) -> list[Event]:
        conversation, position = frame["conversation"], frame["position"]
        held = self.held.get(conversation)
        is_beginning = frame["type"] == "conversation.created"
        if held is None:
            if not is_beginning:
                return []
            self.held[conversation] = Held(row(Conversation, frame["data"]), self._keep)
            return [ConversationGiven(self.held[conversation].line)]
        if held.waiting is not None:
            held.wait(frame)
            return []
        if position <= held.line.position:
            return []
        if is_beginning or frame["prev"] != held.line.position:
            if held.asked is not None or conversation in self.missed:
                return []
            self.missed.add(conversation)
            return [GapFound(conversation, held.line.position)]
        return held.apply(frame, self.user)

    def _answered(self, ref: object, *, refused: bool) -> list[Event]:
        """The end of a `resume`. One that was refused is said again, once another has been answered."""
        for held in self.held.values():
            if ref is not None and held.asked == ref:
                held.asked = None
                if refused:
                    self.missed.add(held.line.id)
        return []

    def _revoked(self, conversation: str, reason: str) -> list[Event]:
        self.missed.discard(conversation)
        self.resets.discard(conversation)
        return [ConversationGone(conversation, reason)] if self.held.pop(conversation, None) else []

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
