"""What happened in a run, as its clients saw it: every call, every frame, every page. Checkers read nothing else.

Times are seconds of the monotonic clock of this machine; `stalled` says how long this driver itself slept through, so
that its own slowness is never held against the chat.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final, Literal

import msgspec

Json = dict[str, Any]
Outcome = Literal["ok", "failed", "unknown"]

NOTICED_LAG: Final = 0.1


class NotFired(Exception):
    """The fault did not happen."""


class Call(msgspec.Struct, kw_only=True):
    """One request or frame of a client. `unknown`: no answer came, or the answer was `outcome_unknown`."""

    verb: str
    user: str
    conversation: str
    began: float
    ended: float = 0.0
    outcome: Outcome = "unknown"
    status: int = 0
    code: str = ""
    key: str = ""
    """The client_id of a send, the requested seq of a read mark, the message's id of an edit or deletion."""
    text: str = ""
    answer: Json | None = None

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Entry(msgspec.Struct):
    """One thing in a socket reader's life: a frame it was `received`, or what it did itself."""

    kind: Literal["opened", "received", "resume", "loaded", "closed"]
    at: float
    data: Any = None


class Timeline(msgspec.Struct):
    """A reader through all its connections, which are of one person."""

    user: str
    name: str
    entries: list[Entry] = []
    made: Any = None
    """The replica built from the entries, once a check has replayed them."""


class Walk(msgspec.Struct, kw_only=True):
    """Pages walked over REST until the end: `items` are (position or seq, key) in the order given.

    `at_least` is a seq or position known to exist when the walk began; `needed` are keys that must be met. `later` is
    where pages of messages that ended before `at_least` ended two seconds later.
    """

    kind: Literal["messages", "members", "changes"]
    conversation: str
    items: list[tuple[int, str]]
    start: int = 0
    reached: int = 0
    at_least: int = 0
    began: float = 0.0
    later: int = 0
    needed: frozenset[str] = frozenset()


class Removal(msgspec.Struct, kw_only=True):
    """A user was certainly out of a conversation from `gone` until `back` (None: to the end of the run).

    `at`: wall clock of `gone`. `before`, `after`: their newest seq in the database, read at both ends.
    `leaks`: what they could still read more than 2 s after.
    """

    user: str
    conversation: str
    gone: float
    at: str
    before: int | None = None
    after: int | None = None
    back: float | None = None
    leaks: list[str] = []


class Peek(msgspec.Struct, kw_only=True):
    """The newest page as one process gave it, between two looks into the database: seq → (position, text)."""

    node: str
    conversation: str
    page: dict[int, tuple[int, str]]
    older: dict[int, tuple[int, str]]
    """The rows in the database at least 2 s before the page was requested."""
    newer: dict[int, tuple[int, str]]
    """As it was after the page had come."""


class Deletion(msgspec.Struct, frozen=True):
    """A conversation that was closed, at the latest at `gone`."""

    conversation: str
    gone: float


class Letter(msgspec.Struct, frozen=True):
    """A mail as the mail server had it: for whom, and the id of the row it was made of."""

    address: str
    mail: str


class Stop(msgspec.Struct, kw_only=True):
    """SIGTERM under load."""

    node: str
    seconds: float
    exit_code: int | None
    closes: list[int]
    """Close codes of the sockets it had."""


class Window(msgspec.Struct, kw_only=True):
    """A fault from `began` to `healed`. `late`: what had not converged in time. `problems`: what else broke then."""

    fault: str
    began: float
    healed: float = 0.0
    redis: bool = False
    converged: float | None = None
    problems: list[str] = []


class Record:
    """Everything, appended as it happens."""

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self.calls: list[Call] = []
        self.timelines: list[Timeline] = []
        self.walks: list[Walk] = []
        self.removals: list[Removal] = []
        self.peeks: list[Peek] = []
        self.stops: list[Stop] = []
        self.deletions: list[Deletion] = []
        self.letters: list[Letter] = []
        self.windows: list[Window] = []
        self.lags: list[tuple[float, float]] = []
        self.disk_pauses: list[tuple[float, float]] = []
        self.counts: Counter[str] = Counter()
        self.began = time.monotonic()

    def call(self, verb: str, user: str, conversation: str, key: object = "", text: str = "") -> Call:
        """Records the start of a call. The caller settles it."""
        call = Call(verb=verb, user=user, conversation=conversation, key=str(key), text=text, began=time.monotonic())
        self.calls.append(call)
        return call

    def settle(self, call: Call, status: int, body: Any) -> Call:
        """Answered with `status` (0: not at all)."""
        call.ended = time.monotonic()
        call.status = status
        call.code = body.get("code", "") if isinstance(body, dict) else ""
        if 200 <= status < 300:
            call.outcome = "ok"
            call.answer = body if isinstance(body, dict) else None
        elif status and call.code != "outcome_unknown":
            call.outcome = "failed"
        self.counts[f"{call.verb} {call.outcome}"] += 1
        return call

    def stalled(self, began: float, ended: float) -> float:
        """The longest this driver was not running, between these two moments."""
        return max((lag for at, lag in reversed(self.lags[-400:]) if at >= began and at - lag <= ended), default=0.0)

    def of(self, verb: str) -> list[Call]:
        return [call for call in self.calls if call.verb == verb]
