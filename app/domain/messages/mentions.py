"""Who a text names: `@Ada` or `@Ada Lovelace`, members only, decided when it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, Uuid, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Membership
from app.domain.messages.models import Mention
from app.domain.users.models import User

SEPARATOR: Final = "\x1f"
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
    naming = [(*where, SEPARATOR.join(names)) for *where, text in sent if (names := names_in(text))]
    if not naming:
        return
    # One statement for all: the conversations are locked meanwhile. Members are looked through once a message.
    conversations, seqs, senders, lists = zip(*naming, strict=True)
    said = (
        func.unnest(
            literal(list(conversations), ARRAY(Uuid())),
            literal(list(seqs), ARRAY(BigInteger())),
            literal(list(senders), ARRAY(Uuid())),
            literal(list(lists), ARRAY(Text())),
        )
        .table_valued("conversation_id", "seq", "sender_id", "names")
        .render_derived()
    )
    whole_name = func.lower(User.first_name + " " + User.last_name)
    named = any_(func.string_to_array(said.c.names, SEPARATOR, type_=ARRAY(Text())))
    people = (
        select(said.c.conversation_id, said.c.seq, Membership.user_id)
        .join(Membership, Membership.conversation_id == said.c.conversation_id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.left_at.is_(None),
            Membership.user_id != said.c.sender_id,
            or_(func.lower(User.first_name) == named, whole_name == named),
        )
    )
    await session.execute(
        insert(Mention).from_select(["conversation_id", "seq", "user_id"], people).on_conflict_do_nothing()
    )
