"""The lists of many people at once, for sockets that open together: one statement, and so one moment for all of them.

It says of each login whether it still lives, too: whose does not is given nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.conversations.facts import CONVERSATION_COLUMNS
from app.domain.conversations.models import Conversation, Membership
from app.domain.messages.inbox import BREATH, as_summary
from app.domain.messages.models import MessageRow
from app.domain.messages.reading import MESSAGE_COLUMNS, SENDER, SENDER_COLUMNS
from app.domain.users.liveness import account_is_open, login_is_live
from app.domain.users.models import LoginSession, User
from app.domain.views import ConversationSummary


class Newcomer(msgspec.Struct, frozen=True):
    """Who opens a socket, through which login."""

    user: UUID
    login: UUID


_ASKED = (
    func.unnest(bindparam("users", type_=ARRAY(Uuid())), bindparam("logins", type_=ARRAY(Uuid())))
    .table_valued(column("user_id", Uuid()), column("login_id", Uuid()), with_ordinality="ordinal")
    .render_derived(name="asked")
)
_PEERSHIP = aliased(Membership, name="peership")
_LIVING = (
    select(LoginSession.id.label("login_id"))
    .join(User, User.id == LoginSession.user_id)
    .where(
        LoginSession.id == _ASKED.c.login_id,
        LoginSession.user_id == _ASKED.c.user_id,
        login_is_live(),
        account_is_open(),
    )
    .correlate(_ASKED)
    .lateral("living")
)
_MINE = (
    select(Membership.conversation_id, Membership.role, Membership.read_seq)
    .where(Membership.user_id == _ASKED.c.user_id, Membership.left_at.is_(None), _LIVING.c.login_id.is_not(None))
    .correlate(_ASKED, _LIVING)
    .lateral("mine")
)
# As in the list: the limits keep the planner to one look by key for each conversation.
_LAST = (
    select(
        *(column for column in MESSAGE_COLUMNS if column.key != "message_text"),
        func.left(MessageRow.text, bindparam("cut", type_=Integer())).label("message_text"),
    )
    .where(MessageRow.conversation_id == Conversation.id, MessageRow.seq == Conversation.last_seq)
    .limit(1)
    .correlate(Conversation)
    .lateral("last_message")
)
_PEER = (
    select(User.id.label("peer_id"), User.first_name.label("peer_first_name"), User.last_name.label("peer_last_name"))
    .join(_PEERSHIP, _PEERSHIP.user_id == User.id)
    .where(
        Conversation.kind == "direct",
        _PEERSHIP.conversation_id == Conversation.id,
        _PEERSHIP.user_id != _ASKED.c.user_id,
    )
    .limit(1)
    .correlate(Conversation, _ASKED)
    .lateral("peer")
)
_GREETINGS = (
    select(
        _ASKED.c.ordinal,
        _LIVING.c.login_id.label("living"),
        _MINE.c.role.label("my_role"),
        _MINE.c.read_seq.label("my_read_seq"),
        *CONVERSATION_COLUMNS,
        *_LAST.c,
        *SENDER_COLUMNS,
        *_PEER.c,
    )
    .select_from(_ASKED)
    .outerjoin(_LIVING, true())
    .outerjoin(_MINE, true())
    .outerjoin(Conversation, and_(Conversation.id == _MINE.c.conversation_id, Conversation.deleted_at.is_(None)))
    .outerjoin(_LAST, true())
    .outerjoin(SENDER, SENDER.id == _LAST.c.message_sender)
    .outerjoin(_PEER, true())
    .order_by(_ASKED.c.ordinal, Conversation.updated_at.desc(), Conversation.id.desc())
)


async def greetings(
    session: AsyncSession, newcomers: Sequence[Newcomer], *, cut: int
) -> list[list[ConversationSummary] | None]:
    """For each, in order, all their conversations, latest activity first; None where the login does not live.

    The texts of last messages are cut to `cut` characters.
    """
    asked = {"users": [one.user for one in newcomers], "logins": [one.login for one in newcomers], "cut": cut}
    rows = (await session.execute(_GREETINGS, asked)).all()
    found: list[list[ConversationSummary] | None] = [None] * len(newcomers)
    for start in range(0, len(rows), BREATH):
        for row in rows[start : start + BREATH]:
            if row.living is None:
                continue
            lines = found[row.ordinal - 1]
            if lines is None:
                lines = found[row.ordinal - 1] = []
            if row.conversation_id is not None:
                lines.append(as_summary(row))
        await asyncio.sleep(0)
    return found
