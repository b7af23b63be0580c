"""The newest conversations of many users at once, for sockets that open and list requests in one batch.

One statement reads them all, and so in one snapshot. It also checks each login: a request with an ended login
receives no conversations.
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

ROWS_PER_STEP = 250
"""Rows decoded before the event loop runs other work: 5,000 at once would delay this process's sockets by 0.1 s."""


class SnapshotRequest(msgspec.Struct, frozen=True):
    """A user, the login of the request, and the maximum number of conversations (None: all)."""

    user: UUID
    login: UUID
    most: int | None = None


def _array_parameter(name: str, kind: Uuid[UUID] | Integer) -> ScalarSelect[Sequence[object]]:
    """An array parameter of `kind`. The subquery keeps its length from causing a new plan for each call."""
    return select(bindparam(name, type_=ARRAY(kind))).scalar_subquery()


_REQUESTED = (
    func.unnest(
        _array_parameter("users", Uuid()), _array_parameter("logins", Uuid()), _array_parameter("mosts", Integer())
    )
    .table_valued(
        column("user_id", Uuid()), column("login_id", Uuid()), column("most", Integer()), with_ordinality="ordinal"
    )
    .render_derived(name="asked")
)
_LIVE_LOGINS = (
    select(LoginSession.id.label("login_id"))
    .join(User, User.id == LoginSession.user_id)
    .where(
        LoginSession.id == _REQUESTED.c.login_id,
        LoginSession.user_id == _REQUESTED.c.user_id,
        login_is_live(),
        account_is_open(),
    )
    .correlate(_REQUESTED)
    .lateral("living")
)
_MINE = (
    select(Membership.conversation_id, Membership.role, Membership.read_seq)
    .join(Conversation, Conversation.id == Membership.conversation_id)
    .where(
        Membership.user_id == _REQUESTED.c.user_id,
        Membership.left_at.is_(None),
        Conversation.deleted_at.is_(None),
        is_listed(),
        _LIVE_LOGINS.c.login_id.is_not(None),
    )
    .order_by(*LATEST_FIRST)
    .limit(_REQUESTED.c.most)
    .correlate(_REQUESTED, _LIVE_LOGINS)
    .lateral("mine")
)
_CUT_TEXT = func.coalesce(func.left(MessageRow.text, bindparam("cut", type_=Integer())), MessageRow.text)
_NEWEST = with_lines(
    select(_REQUESTED.c.ordinal, _LIVE_LOGINS.c.login_id.is_not(None))
    .select_from(_REQUESTED)
    .outerjoin(_LIVE_LOGINS, true())
    .outerjoin(_MINE, true())
    .outerjoin(Conversation, Conversation.id == _MINE.c.conversation_id),
    _REQUESTED.c.user_id,
    _MINE.c.role,
    _MINE.c.read_seq,
    text=_CUT_TEXT,
).order_by(_REQUESTED.c.ordinal, *LATEST_FIRST)


async def newest(
    reader: Reader, requests: Sequence[SnapshotRequest], *, cut: int | None = None
) -> list[list[ConversationSummary] | None]:
    """Returns the conversations for each request, in order, latest activity first; None where the login has ended.

    The texts of last messages are cut to `cut` characters (None: not cut).
    """
    parameters = {
        "users": [request.user for request in requests],
        "logins": [request.login for request in requests],
        "mosts": [request.most for request in requests],
        "cut": cut,
    }
    rows = (await reader.execute(_NEWEST, parameters)).all()
    found: list[list[ConversationSummary] | None] = [None] * len(requests)
    for start in range(0, len(rows), ROWS_PER_STEP):
        for ordinal, living, *line in rows[start : start + ROWS_PER_STEP]:
            if not living:
                continue
            lines = found[ordinal - 1]
            if lines is None:
                lines = found[ordinal - 1] = []
            if line[0] is not None:
                lines.append(as_summary(line))
        await asyncio.sleep(0)
    return found
