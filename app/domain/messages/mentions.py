"""Who a text names: `@Ada` or `@Ada Lovelace`, members only, decided when it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Membership
from app.domain.messages.models import Mention
from app.domain.users.models import User

MOST: Final = 20
"""Names looked up for one message; more are not people but noise."""

_NAMED = re.compile(r"(?<![\w@.])@([^\s@,;:!?()\[\]{}<>\"]{1,100})(?: ([^\s@,;:!?()\[\]{}<>\"]{1,100}))?")


def names_in(text: str) -> list[str]:
    """In lower case, each first name alone and with the word behind it; at most 40."""
    found: dict[str, None] = {}
    for first, second in _NAMED.findall(text)[:MOST]:
        first = first.rstrip(".'").lower()
        if first:
            found[first] = None
            if second:
                found[f"{first} {second.rstrip(chr(46) + chr(39)).lower()}"] = None
    return list(found)


async def note(session: AsyncSession, sent: Iterable[tuple[UUID, int, UUID, str]]) -> None:
    """Keep who is named by these (conversation, seq, sender, text), just stored in this transaction."""
    for conversation, seq, sender, text in sent:
        names = names_in(text)
        if not names:
            continue
        first = func.lower(User.first_name)
        named = (
            select(literal(conversation), literal(seq), Membership.user_id)
            .join(User, User.id == Membership.user_id)
            .where(
                Membership.conversation_id == conversation,
                Membership.left_at.is_(None),
                Membership.user_id != sender,
                or_(first.in_(names), func.lower(User.first_name + " " + User.last_name).in_(names)),
            )
        )
        await session.execute(
            insert(Mention).from_select(["conversation_id", "seq", "user_id"], named).on_conflict_do_nothing()
        )
