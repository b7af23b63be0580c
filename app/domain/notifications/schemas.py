"""What clients see of notifications and their preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.domain.schemas import View


class Notification(View, frozen=True, kw_only=True):
    """Unread messages of one conversation, those after `from_seq` up to `up_to_seq`. `mention`: one of them names you.

    At most one of a conversation is unread; it grows, and is told again as a `notification` frame when it does.
    """

    id: UUID
    conversation: UUID
    kind: Literal["unread", "mention"]
    from_seq: int
    up_to_seq: int
    created_at: datetime
    updated_at: datetime
    is_read: bool


class NotificationPage(View, frozen=True, kw_only=True):
    items: list[Notification]
    next: str | None


class Attention(View, frozen=True, kw_only=True):
    """How one wants to be told of a conversation. `mails`: by mail too, when absent."""

    level: Literal["all", "mentions", "none"]
    muted_until: datetime | None
    mails: bool


class NotificationDecision(View, frozen=True, kw_only=True):
    """Why one was told of a message by this channel, or was not. Kept a week."""

    channel: Literal["app", "mail"]
    outcome: str
    decided_at: datetime


class NotificationDecisions(View, frozen=True, kw_only=True):
    items: list[NotificationDecision]
