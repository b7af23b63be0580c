"""Leaving, and who is creator afterwards."""

from __future__ import annotations

from app.domain.conversations import groups, members, roles
from app.domain.errors import Conflict, NotFound
from app.domain.inbox.detail import detail
from tests.support.conversations import Cast, Chat, kinds, refusal


async def test_leaving_is_a_conflict_outside_a_public_one_and_unheard_of_outside_a_private_one(
    chat: Chat, cast: Cast
) -> None:
    public, private = await chat.group(cast, is_private=False), await chat.group(cast)
    for outsider in (cast.eve, cast.mallory):
        refused = await refusal(chat.do(members.leave, public, outsider))
        assert (type(refused), refused.code) == (Conflict, "not_a_member")
        assert isinstance(await refusal(chat.do(members.leave, private, outsider)), NotFound)
    await chat.do(members.leave, private, cast.linus)
    assert chat.changes(private)[-1].type == "member.left"


async def test_the_longest_serving_admin_follows_the_creator(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    before = chat.changes(conversation)[-1].position
    await chat.do(members.leave, conversation, cast.ada)
    shown = await chat.do(detail, conversation, cast.grace)
    assert (shown.creator, shown.created_by) == (cast.grace, cast.ada)
    assert [(one.type, one.position) for one in chat.changes(conversation)[-2:]] == [
        ("member.left", before + 1),
        ("conversation.updated", before + 2),
    ]


async def test_an_admin_follows_before_a_member_who_serves_longer(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.do(roles.make_admin, conversation, cast.ada, cast.linus)
    await chat.do(roles.remove_admin, conversation, cast.ada, cast.grace)
    await chat.do(members.leave, conversation, cast.ada)
    assert (await chat.do(detail, conversation, cast.grace)).creator == cast.linus


async def test_without_an_admin_the_longest_serving_member_follows_and_is_promoted(chat: Chat, cast: Cast) -> None:
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


async def test_a_closed_account_follows_only_where_nobody_else_is_left(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.sql("UPDATE users SET closed_at = now() WHERE id = :user", user=cast.grace)
    await chat.do(members.leave, conversation, cast.ada)
    assert (await chat.do(detail, conversation, cast.linus)).creator == cast.linus
    await chat.do(members.leave, conversation, cast.linus)
    assert await chat.do(members.take_out, conversation, cast.grace)
    assert not await chat.do(members.take_out, conversation, cast.grace)
    assert kinds(chat.changes(conversation))[-2:] == ["member.left", "conversation.deleted"]


async def test_the_last_one_to_leave_closes_the_conversation(chat: Chat, cast: Cast) -> None:
    conversation = await chat.do(groups.create, cast.ada, "Mathematicians")
    await chat.do(members.leave, conversation, cast.ada)
    assert [(one.type, one.position) for one in chat.changes(conversation)[-2:]] == [
        ("member.left", 3),
        ("conversation.deleted", 4),
    ]
    assert isinstance(await refusal(chat.do(members.join, conversation, cast.eve)), NotFound)
