"""What may be lost: typing, presence, and notices to people. Never stored, never repaired, told to who is there."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

import msgspec

from app.domain.events import Announced, ListTurned, LogChange, LoginsEnded, PoliciesChanged, ReadMoved

TYPING_SECONDS = 10
"""A typing mark ends by itself after this long (contract)."""


class Typing(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=11):
    """Somebody types now; told to the others of the conversation."""

    conversation: UUID
    user: UUID

    def frame(self) -> bytes:
        return b'{"type":"typing","conversation":"%b","user":"%b","expires_in":%d}' % (
            str(self.conversation).encode(),
            str(self.user).encode(),
            TYPING_SECONDS,
        )


class Notice(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=12):
    """A ready frame (`notification`) for all sockets of `users`; empty means everybody."""

    users: tuple[UUID, ...]
    frame: bytes


class PresenceChanged(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=13):
    """Somebody came online or went; told to the others of a small conversation."""

    conversation: UUID
    user: UUID
    online: bool

    def frame(self) -> bytes:
        return b'{"type":"presence","conversation":"%b","user":"%b","online":%b}' % (
            str(self.conversation).encode(),
            str(self.user).encode(),
            b"true" if self.online else b"false",
        )


Signal: TypeAlias = Typing | Notice | PresenceChanged
Event: TypeAlias = LogChange | ReadMoved | LoginsEnded | Announced | PoliciesChanged | ListTurned | Signal
