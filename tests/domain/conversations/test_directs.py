"""Direct conversations: two people's, one for each pair, and nothing about them changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.domain.conversations import admin_role, directs, groups, members
from app.domain.errors import Conflict, NotFound
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import summary
from tests.support.conversations import Cast, Chat, refusal


async def test_a_direct_conversation_is_one_for_each_pair(chat: Chat, cast: Cast) -> None:
    conversation, new = await chat.do(directs.get_or_create, cast.ada, cast.linus)
    assert new
    assert await chat.do(directs.get_or_create, cast.linus, cast.ada) == (conversation, False)
    assert [(one.type, one.position, one.subject) for one in chat.changes(conversation)] == [
        ("conversation.created", 1, None),
        ("member.joined", 2, cast.ada),
        ("member.added", 3, cast.linus),
    ]
    shown = await chat.do(summary, conversation, cast.linus)
    assert shown.peer is not None
    assert (shown.kind, shown.is_private, shown.peer.id, shown.role) == ("direct", True, cast.ada, "member")
    assert (await refusal(chat.do(directs.get_or_create, cast.ada, cast.ada))).code == "yourself"
    assert isinstance(await refusal(chat.do(detail, conversation, cast.eve)), NotFound)


async def test_a_direct_conversation_cannot_be_changed(chat: Chat, cast: Cast) -> None:
    conversation, _ = await chat.do(directs.get_or_create, cast.ada, cast.linus)
    attempts: list[Callable[[UUID], Awaitable[object]]] = [
        lambda who: chat.do(members.join, conversation, who),
        lambda who: chat.do(members.add, conversation, who, cast.eve),
        lambda who: chat.do(members.remove, conversation, who, cast.linus),
        lambda who: chat.do(members.leave, conversation, who),
        lambda who: chat.do(admin_role.make_admin, conversation, who, cast.linus),
        lambda who: chat.do(admin_role.remove_admin, conversation, who, cast.ada),
        lambda who: chat.do(groups.change, conversation, who, name="Us"),
        lambda who: chat.do(groups.delete, conversation, who),
    ]
    for attempt in attempts:
        for who in (cast.ada, cast.linus):
            refused = await refusal(attempt(who))
            assert (type(refused), refused.code) == (Conflict, "direct")
        assert isinstance(await refusal(attempt(cast.eve)), NotFound)
    assert not await chat.do(members.take_out, conversation, cast.ada)
