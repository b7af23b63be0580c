"""The guide's account, and "Welcome", the conversation in which it answers (`app.development.live_guide`).

No one can log in to the account: its password is the hash of random bytes, and its address is one that no login form,
registration or reset accepts (`check_email`). Its one login, which sends need, has no token.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_if_free
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth.login_status import login_is_live
from app.domain.conversations import groups
from app.domain.conversations.membership_changes import begin_membership, hold_newcomers
from app.domain.conversations.models import Conversation, Membership
from app.domain.notifications.preferences import set_preferences
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, User

ADDRESS: Final = "guide@chat.invalid"
FIRST_NAME, LAST_NAME = "Chat", "Guide"
WELCOME: Final = "Welcome"
LOGIN_LIFETIME: Final = timedelta(days=36_500)


class Guide(msgspec.Struct, frozen=True):
    """The guide as a sender, and the conversations in which it answers."""

    caller: Caller
    conversations: frozenset[UUID]


async def open_welcome(session: AsyncSession, operator: UUID, *, password_hash: str) -> UUID:
    """Creates "Welcome" with `operator` as its creator and the guide as a member. Returns the conversation's id.

    `password_hash` is stored if the guide has no account yet: the hash of a password that is stored nowhere.
    """
    guide = await _account(session, password_hash)
    conversation = await groups.create(session, operator, WELCOME, is_private=True)
    await hold_newcomers(session, guide, caller=operator)
    await begin_membership(session, conversation, guide, by=operator)
    login = uuid7()
    await session.execute(
        insert(LoginSession).values(id=login, user_id=guide, expires_at=func.clock_timestamp() + LOGIN_LIFETIME)
    )
    # The guide reads nothing: without this, its unread messages would become mails to an address that does not exist.
    caller = Caller(guide, login)
    await set_preferences(session, caller, conversation, level="none", muted_until=None, mails=False)
    return conversation


async def find_guide(session: AsyncSession) -> Guide | None:
    """Returns the guide, if it has an account, a live login and a conversation."""
    rows = (
        await session.execute(
            select(User.id, LoginSession.id.label("login"), Membership.conversation_id)
            .join(LoginSession, LoginSession.user_id == User.id)
            .join(Membership, Membership.user_id == User.id)
            .join(Conversation, Conversation.id == Membership.conversation_id)
            .where(
                func.lower(User.email) == ADDRESS,
                login_is_live(),
                Membership.left_at.is_(None),
                Conversation.deleted_at.is_(None),
            )
        )
    ).all()
    if not rows:
        return None
    return Guide(Caller(rows[0].id, rows[0].login), frozenset(row.conversation_id for row in rows))


async def _account(session: AsyncSession, password_hash: str) -> UUID:
    await session.execute(
        insert_if_free(User)
        .values(
            id=uuid7(),
            email=ADDRESS,
            first_name=FIRST_NAME,
            last_name=LAST_NAME,
            password_hash=password_hash,
            who_may_add="nobody",
        )
        .on_conflict_do_nothing()
    )
    return (await session.execute(select(User.id).where(func.lower(User.email) == ADDRESS))).scalar_one()
