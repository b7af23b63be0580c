"""Broadcasts as operators see them, and as users receive them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Audience = Literal["everybody", "operators", "conversations"]
State = Literal["planned", "mailing", "sent", "canceled"]


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A system broadcast as users receive it."""

    id: UUID
    title: str
    text: str
    sent_at: datetime


class MailProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Mail counts: `planned` when the broadcast was sent, `posted` (queued) so far. Of these, the mail server accepted
    `sent` and not `refused`. The outcome of `unknown` is not known. `dropped` had no recipient or were canceled."""

    planned: int
    posted: int
    sent: int
    refused: int
    unknown: int
    dropped: int


class Broadcast(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is `mailing` until all mails are queued. `created_by` is null if created on the command line."""

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
