"""Finds accounts and conversations in any state, newest first. Each search is recorded in the audit log."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.audit.log import Action
from app.domain.auth.login_status import login_is_live
from app.domain.conversations.models import Conversation, Membership
from app.domain.cursors import IdKey, Keyset
from app.domain.operators.schemas import AccountPage, AccountRecord, ConversationRecord, ConversationRecordPage
from app.domain.orm import contains
from app.domain.users.models import LoginSession, User
from app.domain.users.queries import SHORTEST, matches
from app.domain.validation import clean_search

MAX_SEARCH_LENGTH = 254
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


_ACCOUNTS = Keyset("account", IdKey)
_CONVERSATIONS = Keyset("conversation record", IdKey)


async def accounts(
    session: AsyncSession, by: UUID | None, *, search: str | None, limit: int, cursor: str | None
) -> AccountPage:
    """Returns accounts with this id, exactly this e-mail, or this text in their name; all without `search`. `by` is
    None for the command line.

    Raises:
        Invalid: `search` is shorter than 2 characters, or the cursor belongs to another list.
    """
    after = _ACCOUNTS.key(cursor)
    query = select(
        User.id,
        User.first_name,
        User.last_name,
        User.created_at,
        User.is_active,
        User.is_operator,
        User.suspended_at,
        User.closed_at,
        _conversations().label("conversations"),
        _logins(func.count()).label("logins"),
        _logins(func.max(LoginSession.last_used_at)).label("last_used_at"),
    ).where(true() if search is None else _account(search))
    if after is not None:
        query = query.where(User.id < after.id)
    rows = (await session.execute(query.order_by(User.id.desc()).limit(limit + 1))).all()
    shown, following = _ACCOUNTS.page(rows, limit, lambda row: IdKey(row.id))
    items = [
        AccountRecord(
            id=row.id,
            first_name=row.first_name,
            last_name=row.last_name,
            created_at=row.created_at,
            activated=row.is_active,
            operator=row.is_operator,
            suspended_at=row.suspended_at,
            closed_at=row.closed_at,
            conversations=row.conversations,
            logins=row.logins,
            last_used_at=row.last_used_at,
        )
        for row in shown
    ]
    await _note(session, by, "accounts.looked_up", search, [item.id for item in items])
    return AccountPage(items=items, next=following)


async def conversations(
    session: AsyncSession, by: UUID | None, *, search: str | None, limit: int, cursor: str | None
) -> ConversationRecordPage:
    """Returns conversations with this id or text in their name, also private and deleted; all without `search`.

    A search by name scans all rows: names of private conversations have no index, because it would slow down sends.

    Raises:
        Invalid: see `accounts`.
    """
    after = _CONVERSATIONS.key(cursor)
    query = select(
        Conversation.id,
        Conversation.kind,
        Conversation.name,
        Conversation.is_private,
        Conversation.creator_id,
        Conversation.created_at,
        Conversation.updated_at,
        Conversation.deleted_at,
        Conversation.member_count,
        Conversation.last_seq,
    ).where(true() if search is None else _conversation(search))
    if after is not None:
        query = query.where(Conversation.id < after.id)
    rows = (await session.execute(query.order_by(Conversation.id.desc()).limit(limit + 1))).all()
    shown, following = _CONVERSATIONS.page(rows, limit, lambda row: IdKey(row.id))
    items = [
        ConversationRecord(
            id=row.id,
            kind=row.kind,
            name=row.name,
            is_private=row.is_private,
            creator=row.creator_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            deleted_at=row.deleted_at,
            members=row.member_count,
            messages=row.last_seq,
        )
        for row in shown
    ]
    await _note(session, by, "conversations.looked_up", search, [item.id for item in items])
    return ConversationRecordPage(items=items, next=following)


async def _note(session: AsyncSession, by: UUID | None, action: Action, search: str | None, found: list[UUID]) -> None:
    """Records a search and its kind, but not the search text, which may be a name or address. If there is one result,
    it is the subject."""
    kind = "all" if search is None else "id" if _ID.fullmatch(search.strip()) else "email" if "@" in search else "name"
    subject = found[0] if len(found) == 1 else None
    await log.record_action(
        session, by=by, action=action, subject=subject, details={"search": kind, "found": len(found)}
    )


def _account(search: str) -> ColumnElement[bool]:
    return User.id == UUID(search.strip()) if _ID.fullmatch(search.strip()) else matches(search)


def _conversation(search: str) -> ColumnElement[bool]:
    search = search.strip()
    if _ID.fullmatch(search):
        return Conversation.id == UUID(search)
    return contains(Conversation.name, clean_search(search, MAX_SEARCH_LENGTH, SHORTEST))


def _conversations() -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(Membership)
        .join(Conversation, Conversation.id == Membership.conversation_id)
        .where(Membership.user_id == User.id, Membership.left_at.is_(None), Conversation.deleted_at.is_(None))
        .correlate(User)
        .scalar_subquery()
    )


def _logins(columns: ColumnElement[Any]) -> ScalarSelect[Any]:
    live = select(columns).where(LoginSession.user_id == User.id, login_is_live())
    return live.correlate(User).scalar_subquery()
