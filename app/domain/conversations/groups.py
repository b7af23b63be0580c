"""Groups: created by their creator, renamed and made public or private by admins, deleted by the creator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import events
from app.domain.audit import log
from app.domain.conversations import change_log
from app.domain.conversations.access import lock_for_change
from app.domain.conversations.conversation_projection import facts_of
from app.domain.conversations.membership_changes import begin_membership, change_itself, hold_newcomers
from app.domain.conversations.models import Conversation
from app.domain.error_catalogue import creator_only, empty_change
from app.domain.orm import uuid7
from app.domain.validation import clean_name

MAX_NAME_LENGTH = 100


def checked_name(name: str) -> str:
    """1 to 100 characters on one line, one of them visible. Raises Invalid."""
    return clean_name(name, "name", MAX_NAME_LENGTH)


async def create(session: AsyncSession, user: UUID, name: str, *, is_private: bool = False) -> UUID:
    """Creates a group with `user` as creator, admin and only member. Returns its id.

    Raises:
        Invalid: the name is not valid.
        Conflict: `too_many_conversations`.
    """
    name = checked_name(name)
    await hold_newcomers(session, user, caller=user)
    conversation = uuid7()
    await open_log(session, conversation, user, kind="group", name=name, is_private=is_private)
    await begin_membership(session, conversation, user, by=user, role="admin")
    return conversation


async def open_log(session: AsyncSession, conversation: UUID, user: UUID, **values: Any) -> None:
    """Writes position 1 of a log, the creation of the conversation. No other transaction sees the row before COMMIT."""
    await session.execute(
        insert(Conversation).values(
            id=conversation, created_by=user, creator_id=user, changed_by=user, position=1, meta_position=1, **values
        )
    )
    await record_creation(session, conversation)


async def record_creation(session: AsyncSession, conversation: UUID) -> None:
    facts = await facts_of(session, conversation)
    events.record(
        session,
        change_log.view_change(
            "conversation.created", facts, conversation=conversation, position=1, last_seq=0, edited=0
        ),
    )


async def change(
    session: AsyncSession, conversation: UUID, user: UUID, *, name: str | None = None, is_private: bool | None = None
) -> None:
    """Changes the name or the privacy. A value that is already set is not a change and moves no counter.

    Raises:
        Invalid: neither is given, or the name is not valid.
        Conflict: `direct`.
        Forbidden: `admins_only`.
    """
    if name is None and is_private is None:
        raise empty_change()
    if name is not None:
        name = checked_name(name)
    access = (await lock_for_change(session, conversation, user)).require_group().require_admin()
    facts = await facts_of(session, access.conversation)
    wanted = {"name": name, "is_private": is_private}
    values = {key: value for key, value in wanted.items() if value is not None and value != getattr(facts, key)}
    if values:
        await change_itself(session, conversation, "conversation.updated", by=user, **values)


async def delete(session: AsyncSession, conversation: UUID, user: UUID) -> None:
    """Deletes the group for all members: it can be neither found nor joined. The rows stay.

    Raises:
        Conflict: `direct`.
        Forbidden: `creator_only`.
    """
    access = (await lock_for_change(session, conversation, user)).require_group()
    if not access.is_creator:
        raise creator_only()
    await close(session, conversation, by=user)
    await log.record_action(session, by=user, action="conversation.deleted", subject=conversation)


async def close(session: AsyncSession, conversation: UUID, *, by: UUID) -> None:
    """Writes the last change of a log. The caller holds the lock."""
    await change_itself(session, conversation, "conversation.deleted", by=by, deleted_at=func.clock_timestamp())
