"""Invites as operators see them, and as the page of the link reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

InviteState = Literal["open", "used_up", "expired", "revoked"]


class InviteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An invite without its token, which is stored nowhere. `created_by` is null if created on the command line."""

    id: UUID
    state: InviteState
    note: str
    for_one_address: bool
    max_uses: int
    uses: int
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime


class NewInvite(InviteRecord, frozen=True, kw_only=True):
    """A created invite. `token` and `link` are in this answer only."""

    token: str
    link: str


class InvitePage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[InviteRecord]
    next: str | None


class InviteOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An open invite, as the person who has its token sees it. `note` is empty if the operator wrote none."""

    valid_until: datetime
    note: str
