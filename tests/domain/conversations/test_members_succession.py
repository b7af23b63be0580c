"""Leaving a group, and the succession of its creator."""

from __future__ import annotations

from app.domain.conversations import admin_role, groups, members
from app.domain.errors import Conflict, NotFound
from app.domain.inbox.detail import detail
from tests.support.conversations import Cast, Chat, kinds, refusal


async def test_an_outsider_who_leaves_gets_a_conflict_in_public_and_not_found_in_private(
    chat: Chat, cast: Cast
) -> None:
    public, private = await chat.group(cast, is_private=False), await chat.group(cast)
    for outsider in (cast.eve, cast.mallory):
        refused = await refusal(chat.do(members.leave, public, outsider))
        assert (type(refused), refused.code) == (Conflict, "not_a_member")
        assert isinstance(await refusal(chat.do(members.leave, private, outsider)), NotFound)
    await chat.do(members.leave, private, cast.linus)
    assert chat.changes(private)[-1].type == "member.left"


async def test_the_longest_serving_admin_succeeds_the_creator(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    before = chat.changes(conversation)[-1].position
    await chat.do(members.leave, conversation, cast.ada)
    shown = await chat.do(detail, conversation, cast.grace)
    assert (shown.creator, shown.created_by) == (cast.grace, cast.ada)
    assert [(one.type, one.position) for one in chat.changes(conversation)[-2:]] == [
        ("member.left", before + 1),
        ("conversation.updated", before + 2),
    ]


async def test_an_admin_succeeds_before_a_longer_serving_member(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.do(admin_role.make_admin, conversation, cast.ada, cast.linus)
    await chat.do(admin_role.remove_admin, conversation, cast.ada, cast.grace)
    await chat.do(members.leave, conversation, cast.ada)
    assert (await chat.do(detail, conversation, cast.grace)).creator == cast.linus


async def test_without_an_admin_the_longest_serving_member_succeeds_and_is_promoted(chat: Chat, cast: Cast) -> None:
    conversation = await chat.do(groups.create, cast.ada, "Mathematicians", is_private=False)
    await chat.do(members.add, conversation, cast.ada, cast.grace)
    await chat.do(members.add, conversation, cast.ada, cast.linus)
    # Coming back counts from the return: linus serves longest now, though grace was first.
    await chat.do(members.leave, conversation, cast.grace)
    await chat.do(members.join, conversation, cast.grace)
    await chat.do(members.leave, conversation, cast.ada)
    shown = await chat.do(detail, conversation, cast.linus)
    assert (shown.creator, shown.role) == (cast.linus, "admin")
    assert kinds(chat.changes(conversation))[-3:] == ["member.left", "conversation.updated", "member.promoted"]


async def test_a_closed_account_succeeds_only_when_no_other_member_is_left(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.sql("UPDATE users SET closed_at = now() WHERE id = :user", user=cast.grace)
    await chat.do(members.leave, conversation, cast.ada)
    assert (await chat.do(detail, conversation, cast.linus)).creator == cast.linus
    await chat.do(members.leave, conversation, cast.linus)
    assert await chat.do(members.take_out, conversation, cast.grace)
    assert not await chat.do(members.take_out, conversation, cast.grace)
    assert kinds(chat.changes(conversation))[-2:] == ["member.left", "conversation.deleted"]


async def test_the_last_member_who_leaves_closes_the_conversation(chat: Chat, cast: Cast) -> None:
    conversation = await chat.do(groups.create, cast.ada, "Mathematicians")
    await chat.do(members.leave, conversation, cast.ada)
    assert [(one.type, one.position) for one in chat.changes(conversation)[-2:]] == [
        ("member.left", 3),
        ("conversation.deleted", 4),
    ]
    assert isinstance(await refusal(chat.do(members.join, conversation, cast.eve)), NotFound)
