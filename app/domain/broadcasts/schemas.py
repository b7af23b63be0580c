"""Broadcasts as operators see them, and as everybody is told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Audience = Literal["everybody", "operators", "conversations"]
State = Literal["planned", "mailing", "sent", "canceled"]


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What is told."""

    id: UUID
    title: str
    text: str
    sent_at: datetime


class MailProgress(msgspec.Struct, frozen=True, kw_only=True):
    """`planned` at the sending; `posted` so far. Of these `sent` were accepted by the mail server, `refused` surely
    not, of `unknown` ones nobody knows, and `dropped` had nobody to go to any more, or were canceled in time."""

    planned: int
    posted: int
    sent: int
    refused: int
    unknown: int
    dropped: int


class Broadcast(msgspec.Struct, frozen=True, kw_only=True):
    """`mailing` while not all mails are posted. `created_by` is null for a command on the server's machine."""

    id: UUID
    state: State
    title: str
    text: str
    to: Audience
    conversations: list[UUID]
    created_by: UUID | None
    created_at: datetime
    send_at: datetime
    sent_at: datetime | None
    expires_at: datetime
    canceled_at: datetime | None
    mails_per_second: int | None
    mails: MailProgress | None


class BroadcastPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Broadcast]
    next: str | None
