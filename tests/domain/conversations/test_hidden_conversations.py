"""A hidden direct conversation leaves the list and the limit until the next message."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from app.domain.conversations import directs, groups, hidden_conversations, membership_changes
from app.domain.errors import Conflict, Forbidden, NotFound
from app.domain.events import ListTurned
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import inbox
from tests.support.conversations import Cast, Chat, refusal


@pytest.fixture
async def direct(chat: Chat, cast: Cast) -> UUID:
    conversation, _ = await chat.do(directs.get_or_create, cast.eve, cast.linus)
    await chat.send(conversation, cast.eve, "hello?")
    return conversation


async def in_list(chat: Chat, user: UUID, conversation: UUID) -> bool:
    """The same for the list, its search and what a socket is greeted with."""
    found = {
        conversation in [line.id for line in (await chat.do(inbox, user)).items],
        conversation in [line.id for line in (await chat.do(inbox, user, search="exam")).items],
        conversation in [line.id for line in await chat.snapshot(user)],
    }
    assert len(found) == 1
    return found.pop()


async def test_a_direct_conversation_is_hidden_from_one_member_until_the_next_message(
    chat: Chat, cast: Cast, direct: UUID
) -> None:
    assert await in_list(chat, cast.linus, direct)
    before = await chat.do(detail, direct, cast.linus)
    await chat.do(hidden_conversations.set_hidden, direct, cast.linus, hidden=True)
    assert not await in_list(chat, cast.linus, direct)
    assert await in_list(chat, cast.eve, direct)
    # It is still theirs: opened, it is as it was, and no position has moved.
    assert await chat.do(detail, direct, cast.linus) == before
    await chat.send(direct, cast.eve, "anybody there?")
    assert await in_list(chat, cast.linus, direct)
    assert chat.changes(direct)[-1].shown == (cast.linus,)
    await chat.send(direct, cast.eve, "hello!")
    assert chat.changes(direct)[-1].shown == ()


async def test_an_edit_keeps_a_conversation_hidden_and_an_own_message_shows_it(
    chat: Chat, cast: Cast, direct: UUID
) -> None:
    message = await chat.send(direct, cast.eve, "typo")
    await chat.do(hidden_conversations.set_hidden, direct, cast.linus, hidden=True)
    await chat.do(hidden_conversations.set_hidden, direct, cast.eve, hidden=True)
    await chat.edit(message, cast.eve, "type")
    assert not await in_list(chat, cast.linus, direct)
    await chat.send(direct, cast.linus, "I am here")
    assert set(chat.changes(direct)[-1].shown) == {cast.linus, cast.eve}
    assert await in_list(chat, cast.linus, direct)
    assert await in_list(chat, cast.eve, direct)


async def test_hiding_twice_equals_hiding_once_and_can_be_undone(chat: Chat, cast: Cast, direct: UUID) -> None:
    for hidden in (False, True, True, False, False):
        await chat.do(hidden_conversations.set_hidden, direct, cast.linus, hidden=hidden)
        assert await in_list(chat, cast.linus, direct) is not hidden
    turned = ListTurned(conversation=direct, user=cast.linus)
    assert [one for one in chat.received if isinstance(one, ListTurned)] == [turned, turned]


async def test_opening_a_hidden_direct_conversation_shows_it(chat: Chat, cast: Cast, direct: UUID) -> None:
    for user, other in ((cast.linus, cast.eve), (cast.eve, cast.linus)):
        await chat.do(hidden_conversations.set_hidden, direct, user, hidden=True)
        await chat.do(directs.get_or_create, other, user)
        assert not await in_list(chat, user, direct)
        assert await chat.do(directs.get_or_create, user, other) == (direct, False)
        assert await in_list(chat, user, direct)


async def test_a_group_cannot_be_hidden(chat: Chat, cast: Cast) -> None:
    private, public = await chat.group(cast), await chat.group(cast, is_private=False)
    refused = await refusal(chat.do(hidden_conversations.set_hidden, private, cast.linus, hidden=True))
    assert (type(refused), refused.code) == (Conflict, "group")
    assert isinstance(await refusal(chat.do(hidden_conversations.set_hidden, public, cast.eve, hidden=True)), Forbidden)
    for where in (private, uuid4()):
        refused = await refusal(chat.do(hidden_conversations.set_hidden, where, cast.eve, hidden=True))
        assert (type(refused), refused.code) == (NotFound, "not_found")


async def test_hidden_conversations_do_not_count_towards_the_limit(
    chat: Chat, cast: Cast, direct: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.do(directs.get_or_create, cast.eve, cast.ada)
    monkeypatch.setattr(membership_changes, "MAX_CONVERSATIONS", 1)
    refused = await refusal(chat.do(groups.create, cast.linus, "One more"))
    assert refused.code == "too_many_conversations"
    await chat.do(hidden_conversations.set_hidden, direct, cast.linus, hidden=True)
    await chat.do(groups.create, cast.linus, "One more")
