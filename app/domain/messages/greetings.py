"""The lists of many people at once, for sockets that open together: one statement, and so one moment for all of them.

It says of each login whether it still lives, too: whose does not is given nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select, true

from app.domain.conversations.models import Conversation, Membership
from app.domain.messages.models import MessageRow
from app.domain.messages.summaries import as_summary, with_lines
from app.domain.rows import Reader
from app.domain.users.liveness import account_is_open, login_is_live
from app.domain.users.models import LoginSession, User
from app.domain.views import ConversationSummary

BREATH = 250
"""So many rows at once: five thousand would keep this process's other sockets waiting for a tenth of a second."""


class Newcomer(msgspec.Struct, frozen=True):
    """Who opens a socket, through which login."""

    user: UUID
    login: UUID


_ASKED = (
    func.unnest(bindparam("users", type_=ARRAY(Uuid())), bindparam("logins", type_=ARRAY(Uuid())))
    .table_valued(column("user_id", Uuid()), column("login_id", Uuid()), with_ordinality="ordinal")
    .render_derived(name="asked")
)
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
_GREETINGS = with_lines(
    select(_ASKED.c.ordinal, _LIVING.c.login_id.label("living"))
    .select_from(_ASKED)
    .outerjoin(_LIVING, true())
    .outerjoin(_MINE, true())
    .outerjoin(Conversation, and_(Conversation.id == _MINE.c.conversation_id, Conversation.deleted_at.is_(None))),
    _ASKED.c.user_id,
    _MINE.c.role,
    _MINE.c.read_seq,
    text=func.left(MessageRow.text, bindparam("cut", type_=Integer())),
).order_by(_ASKED.c.ordinal, Conversation.updated_at.desc(), Conversation.id.desc())


async def greetings(
    reader: Reader, newcomers: Sequence[Newcomer], *, cut: int
) -> list[list[ConversationSummary] | None]:
    """For each, in order, all their conversations, latest activity first; None where the login does not live.

    The texts of last messages are cut to `cut` characters.
    """
    asked = {"users": [one.user for one in newcomers], "logins": [one.login for one in newcomers], "cut": cut}
    rows = (await reader.execute(_GREETINGS, asked)).all()
    found: list[list[ConversationSummary] | None] = [None] * len(newcomers)
    for start in range(0, len(rows), BREATH):
        for ordinal, living, *line in rows[start : start + BREATH]:
            if living is None:
                continue
            lines = found[ordinal - 1]
            if lines is None:
                lines = found[ordinal - 1] = []
            if line[0] is not None:
                lines.append(as_summary(line))
        await asyncio.sleep(0)
    return found
