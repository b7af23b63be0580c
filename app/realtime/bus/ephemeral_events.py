"""Events that may be lost: typing, presence and notices. Delivered to open sockets only; never stored or repaired."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

import msgspec

from app.domain.events import Outgoing

TYPING_SECONDS = 10
"""A typing mark expires after this long (contract)."""


class Typing(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=11):
    """A member is typing; delivered to the other members of the conversation."""

    conversation: UUID
    user: UUID


class Notice(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=12):
    """An encoded frame (`notification`) for all sockets of `users`; empty means all users."""

    users: tuple[UUID, ...]
    frame: bytes


class PresenceChanged(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="_", tag=13):
    """A member went online or offline; delivered to the other members of a small conversation."""

    conversation: UUID
    user: UUID
    online: bool


Event: TypeAlias = Outgoing | Typing | Notice | PresenceChanged
