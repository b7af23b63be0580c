"""Parsers of the proxy: the transaction state on a Postgres connection, and the commands on a Redis connection.

What fired is counted: a fault that never happened proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

import msgspec

from tests.support.proxy import Cut

NEGOTIATIONS: Final = (80877103, 80877104)  # SSLRequest, GSSENCRequest: sent before the startup message
PING: Final = b"*1\r\n$4\r\nPING\r\n"
COMMITTED: Final = b"COMMIT\0"
"""The tag of a COMMIT that is complete."""

IDLE: Final = b"Z\0\0\0\5I"
"""Ready for another query, and in no transaction."""

Where = Literal["statement", "before", "after"]


class Trap(msgspec.Struct):
    """Cuts the next transaction in which a statement contains `needle`.

    `statement`: before that statement is forwarded. `before`: before its COMMIT is; the same for a statement that is a
    transaction of its own. `after`: once the server has committed, before the client hears of it. `fired` counts.
    `then` is called at that very moment.
    """

    where: Where | None = None
    needle: bytes = b""
    fired: int = 0
    then: Callable[[], None] | None = None

    def set(self, where: Where, needle: bytes, then: Callable[[], None] | None = None) -> None:
        self.where, self.needle, self.fired, self.then = where, needle, 0, then

    def cut(self) -> Cut:
        if self.then is not None:
            self.then()
        return Cut()

    def springs(self, where: str) -> bool:
        if self.where != where:
            return False
        self.where = None
        self.fired += 1
        return True


class PostgresWire:
    """Reads what the client says, message by message: simple queries, and prepared statements by their names."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._buffer = b""
        self._started = False
        self._statements: dict[bytes, bytes] = {}
        self._touched = False
        self._awaited = b""
        self._inside = False
        self._committing = b""

    def up(self, data: bytes) -> bytes:
        self._buffer += data
        out = b""
        while message := self._next():
            if self._started:
                self._hear(message)
            self._started = self._started or int.from_bytes(message[4:8]) not in NEGOTIATIONS
            out += message
        return out

    def down(self, data: bytes) -> bytes:
        if self._committing:
            self._awaited += data
            if self._committing in self._awaited:  # it is durable now
                raise self._trap.cut()
            return b""
        return data

    def _next(self) -> bytes:
        head = 1 if self._started else 0
        if len(self._buffer) < head + 4:
            return b""
        size = head + int.from_bytes(self._buffer[head : head + 4])
        if len(self._buffer) < size:
            return b""
        message, self._buffer = self._buffer[:size], self._buffer[size:]
        return message

    def _hear(self, message: bytes) -> None:
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            self._run(body.rstrip(b"\0"))
        elif kind == b"P":
            name, text, *_ = body.split(b"\0")
            self._statements[name] = text
        elif kind == b"B":
            _portal, name, *_ = body.split(b"\0", 2)
            self._run(self._statements.get(name, b""))

    def _run(self, text: bytes) -> None:
        word = text.strip().upper()
        if word == b"COMMIT":
            touched, self._touched = self._touched, False
            if touched and self._trap.springs("before"):
                raise self._trap.cut()
            if touched and self._trap.springs("after"):
                self._committing = COMMITTED
            self._inside = False
        elif word == b"ROLLBACK" or word.startswith(b"BEGIN"):
            self._touched = False
            self._inside = word != b"ROLLBACK"
        elif self._trap.where is not None and self._trap.needle in text:
            if self._trap.springs("statement") or (not self._inside and self._trap.springs("before")):
                raise self._trap.cut()
            if not self._inside and self._trap.springs("after"):
                self._committing = IDLE
            self._touched = self._inside


class Losses(msgspec.Struct):
    """Commands that have all `words` among their arguments never reach Redis. `lost` counts them."""

    words: frozenset[bytes] | None = None
    lost: int = 0

    def lose(self, *words: bytes) -> None:
        self.words, self.lost = frozenset(words), 0

    def stop(self) -> None:
        self.words = None


class RedisWire:
    """Reads the client's commands; one that is lost is forwarded as a PING, so that every command has its answer."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._buffer = b""

    def up(self, data: bytes) -> bytes:
        self._buffer += data
        out, at = [], 0
        while (found := self._command(at)) is not None:
            end, words = found
            if self._losses.words is not None and self._losses.words <= words:
                self._losses.lost += 1
                out.append(PING)
            else:
                out.append(self._buffer[at:end])
            at = end
        self._buffer = self._buffer[at:]
        return b"".join(out)

    def down(self, data: bytes) -> bytes:
        return data

    def _command(self, at: int) -> tuple[int, frozenset[bytes]] | None:
        """Where the command that begins at `at` ends, and its words; None while it is not whole."""
        words = []
        with suppress(ValueError):
            line = self._buffer.index(b"\r\n", at)
            count, at = int(self._buffer[at + 1 : line]), line + 2
            for _ in range(count):
                line = self._buffer.index(b"\r\n", at)
                size, at = int(self._buffer[at + 1 : line]), line + 2
                if len(self._buffer) < at + size + 2:
                    return None
                words.append(self._buffer[at : at + size])
                at += size + 2
            return at, frozenset(words)
        return None
