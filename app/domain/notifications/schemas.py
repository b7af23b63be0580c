"""Views of notifications and notification preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.domain.schemas import View


class Notification(View, frozen=True, kw_only=True):
    """Unread messages of one conversation, after `from_seq` up to `up_to_seq`. `mention`: one of them mentions you.

    At most one notification per conversation is unread. When it grows, it is sent again as a `notification` frame.
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
    """Your notification preferences for a conversation. `mails`: also notify by mail when you are absent."""

    level: Literal["all", "mentions", "none"]
    muted_until: datetime | None
    mails: bool


class NotificationDecision(View, frozen=True, kw_only=True):
    """Why you were notified of a message on this channel or not. Kept for a week."""

    channel: Literal["app", "mail"]
    outcome: str
    decided_at: datetime


class NotificationDecisions(View, frozen=True, kw_only=True):
    items: list[NotificationDecision]
