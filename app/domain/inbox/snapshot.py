"""The newest conversations of many people at once, for sockets that open and lists that are asked for together.

One statement, and so one moment for all of them. It says of each login whether it still lives, too: whose does not is
given nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Integer, ScalarSelect, Uuid, bindparam, column, func, select, true

from app.domain.auth.login_status import login_is_live
from app.domain.conversations.models import Conversation, Membership, is_listed
from app.domain.inbox.schemas import ConversationSummary
from app.domain.inbox.summary import LATEST_FIRST, as_summary, with_lines
from app.domain.messages.models import MessageRow
from app.domain.orm import Reader
from app.domain.users.account_status import account_is_open
from app.domain.users.models import LoginSession, User

CLOCK_TOLERANCE = 250
"""So many rows at once: five thousand would keep this process's other sockets waiting for a tenth of a second."""


class SnapshotRequest(msgspec.Struct, frozen=True):
    """Who asks, through which login, for how many at most; None: for all."""

    user: UUID
    login: UUID
    most: int | None = None


def _given(name: str, kind: Uuid[UUID] | Integer) -> ScalarSelect[Sequence[object]]:
    """An array of `kind`. Selected, so that its length is no reason to plan anew each time."""
    return select(bindparam(name, type_=ARRAY(kind))).scalar_subquery()


_ASKED = (
    func.unnest(_given("users", Uuid()), _given("logins", Uuid()), _given("mosts", Integer()))
    .table_valued(
        column("user_id", Uuid()), column("login_id", Uuid()), column("most", Integer()), with_ordinality="ordinal"
    )
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
    .join(Conversation, Conversation.id == Membership.conversation_id)
    .where(
        Membership.user_id == _ASKED.c.user_id,
        Membership.left_at.is_(None),
        Conversation.deleted_at.is_(None),
        is_listed(),
        _LIVING.c.login_id.is_not(None),
    )
    .order_by(*LATEST_FIRST)
    .limit(_ASKED.c.most)
    .correlate(_ASKED, _LIVING)
    .lateral("mine")
)
_CUT_TEXT = func.coalesce(func.left(MessageRow.text, bindparam("cut", type_=Integer())), MessageRow.text)
_NEWEST = with_lines(
    select(_ASKED.c.ordinal, _LIVING.c.login_id.is_not(None))
    .select_from(_ASKED)
    .outerjoin(_LIVING, true())
    .outerjoin(_MINE, true())
    .outerjoin(Conversation, Conversation.id == _MINE.c.conversation_id),
    _ASKED.c.user_id,
    _MINE.c.role,
    _MINE.c.read_seq,
    text=_CUT_TEXT,
).order_by(_ASKED.c.ordinal, *LATEST_FIRST)


async def newest(
    reader: Reader, askers: Sequence[SnapshotRequest], *, cut: int | None = None
) -> list[list[ConversationSummary] | None]:
    """For each, in order, their conversations, latest activity first; None where the login does not live.

    The texts of last messages are cut to `cut` characters.
    """
    asked = {
        "users": [one.user for one in askers],
        "logins": [one.login for one in askers],
        "mosts": [one.most for one in askers],
        "cut": cut,
    }
    rows = (await reader.execute(_NEWEST, asked)).all()
    found: list[list[ConversationSummary] | None] = [None] * len(askers)
    for start in range(0, len(rows), CLOCK_TOLERANCE):
        for ordinal, living, *line in rows[start : start + CLOCK_TOLERANCE]:
            if not living:
                continue
            lines = found[ordinal - 1]
            if lines is None:
                lines = found[ordinal - 1] = []
            if line[0] is not None:
                lines.append(as_summary(line))
        await asyncio.sleep(0)
    return found
