"""Every rule of coming, going and ruling, with its negative beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from app.domain.conversations import admin_role, directs, groups, members, name_changes, queries, read_cursors
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import summary
from app.domain.size_limits import MAX_CONVERSATIONS, MAX_MEMBERS
from tests.support.conversations import Cast, Chat, as_view, kinds, refusal


async def test_a_new_group_has_its_creator_as_admin_and_only_member(chat: Chat, cast: Cast) -> None:
    conversation = await chat.do(groups.create, cast.ada, "Analytical engines")
    shown = await chat.do(detail, conversation, cast.ada)
    assert (shown.creator, shown.created_by, shown.role, shown.member_count) == (cast.ada, cast.ada, "admin", 1)
    assert (shown.name, shown.is_private, shown.position, shown.last_seq, shown.unread) == (
        "Analytical engines", False, 2, 0, 0,
    )  # fmt: skip
    assert [(member.user.first_name, member.role, member.by) for member in shown.members] == [("Ada", "admin", None)]
    received = chat.changes(conversation)
    assert [(one.type, one.position, one.prev) for one in received] == [
        ("conversation.created", 1, 0),
        ("member.joined", 2, 1),
    ]
    assert received[1].subject == cast.ada


@pytest.mark.parametrize("name", ["", " \t", "x" * 101, "a\0b", "two\nlines"])
async def test_an_invalid_name_is_refused(chat: Chat, cast: Cast, name: str) -> None:
    assert isinstance(await refusal(chat.do(groups.create, cast.ada, name)), Invalid)
    conversation = await chat.group(cast)
    assert isinstance(await refusal(chat.do(groups.change, conversation, cast.ada, name=name)), Invalid)
    longest = await chat.do(groups.create, cast.ada, "x" * 100)
    assert (await chat.do(summary, longest, cast.ada)).name == "x" * 100


async def test_admins_rename_and_hide_a_group(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    await chat.do(groups.change, conversation, cast.grace, name="Compilers", is_private=True)
    last = chat.changes(conversation)[-1]
    facts = as_view(last)
    assert isinstance(facts, ConversationFacts)
    assert (last.type, facts.name, facts.is_private) == ("conversation.updated", "Compilers", True)
    assert isinstance(await refusal(chat.do(detail, conversation, cast.eve)), NotFound)


async def test_an_unchanged_value_moves_no_position(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, name="Compilers")
    before = await chat.do(summary, conversation, cast.ada)
    await chat.do(groups.change, conversation, cast.ada, name="Compilers", is_private=True)
    assert await chat.do(summary, conversation, cast.ada) == before
    assert isinstance(await refusal(chat.do(groups.change, conversation, cast.ada)), Invalid)


async def test_a_deleted_conversation_is_gone_for_every_member(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    await chat.do(groups.delete, conversation, cast.ada)
    assert kinds(chat.changes(conversation))[-1] == "conversation.deleted"
    unknown = await refusal(chat.do(detail, uuid4(), cast.ada))
    attempts: list[Callable[[UUID], Awaitable[object]]] = [
        lambda who: chat.do(detail, conversation, who),
        lambda who: chat.do(members.join, conversation, who),
        lambda who: chat.do(members.leave, conversation, who),
        lambda who: chat.do(groups.delete, conversation, who),
        lambda who: chat.do(groups.change, conversation, who, name="Again"),
        lambda who: chat.do(read_cursors.read, conversation, who, 0),
        lambda who: chat.do(queries.members_for, conversation, who),
    ]
    for attempt in attempts:
        for who in (cast.ada, cast.linus, cast.eve):
            answer = await refusal(attempt(who))
            assert (type(answer), answer.code, answer.detail) == (NotFound, unknown.code, unknown.detail)


async def test_joining_and_being_added_are_different_changes(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    await chat.do(members.join, conversation, cast.eve)
    joined = chat.changes(conversation)[-1]
    assert (joined.type, joined.subject) == ("member.joined", cast.eve)
    added = next(one for one in chat.changes(conversation) if one.subject == cast.linus)
    view = as_view(added)
    assert isinstance(view, Member)
    assert added.type == "member.added"
    assert view.by is not None
    assert view.by.id == cast.ada


async def test_a_new_member_starts_at_the_end_of_the_log_and_may_read_earlier_messages(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    for _ in range(3):
        await chat.send(conversation, cast.ada)
    await chat.do(members.join, conversation, cast.eve)
    shown = await chat.do(summary, conversation, cast.eve)
    assert (shown.last_seq, shown.read_seq, shown.unread) == (3, 3, 0)
    assert shown.last_message is not None
    await chat.send(conversation, cast.ada)
    assert (await chat.do(summary, conversation, cast.eve)).unread == 1


async def test_rejoining_reuses_the_membership_as_a_plain_member(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    await chat.do(members.leave, conversation, cast.grace)
    await chat.send(conversation, cast.ada)
    await chat.do(members.join, conversation, cast.grace)
    shown = await chat.do(detail, conversation, cast.grace)
    assert (shown.role, shown.read_seq, shown.unread, shown.member_count) == ("member", 1, 0, 3)
    rows = await chat.sql(
        "SELECT left_at, ended, was_added, joined_seq, created_position = position FROM memberships"
        " WHERE conversation_id = :conversation AND user_id = :user",
        conversation=conversation,
        user=cast.grace,
    )
    assert rows == [(None, None, False, 1, True)]


async def test_an_unknown_or_closed_account_cannot_be_added(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    assert (await refusal(chat.do(members.add, conversation, cast.ada, uuid4()))).code == "unknown_user"
    for column in ("closed_at = now()", "suspended_at = now()", "is_active = false"):
        gone = await chat.person("Gone")
        await chat.sql(f"UPDATE users SET {column} WHERE id = :user", user=gone)
        refused = await refusal(chat.do(members.add, conversation, cast.ada, gone))
        assert (type(refused), refused.code) == (Invalid, "unknown_user")
        assert (await refusal(chat.do(directs.get_or_create, cast.ada, gone))).code == "unknown_user"
        assert isinstance(await refusal(chat.do(members.add, conversation, gone, cast.eve)), Unauthenticated)


async def test_a_member_cannot_join_again(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    assert (await refusal(chat.do(members.join, conversation, cast.linus))).code == "already_member"
    assert (await refusal(chat.do(members.add, conversation, cast.ada, cast.linus))).code == "already_member"
    private = await chat.group(cast)
    assert (await refusal(chat.do(members.join, private, cast.linus))).code == "already_member"


async def test_the_creator_can_neither_be_removed_nor_change_roles(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    for verb in (members.remove, admin_role.make_admin, admin_role.remove_admin):
        refused = await refusal(chat.do(verb, conversation, cast.grace, cast.ada))
        assert (type(refused), refused.code) == (Forbidden, "creator")
    await chat.do(members.remove, conversation, cast.ada, cast.grace)
    assert chat.changes(conversation)[-1].type == "member.removed"


async def test_a_change_of_role_or_membership_without_effect_is_a_conflict(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    for verb, other, code in (
        (admin_role.make_admin, cast.grace, "already_admin"),
        (admin_role.remove_admin, cast.linus, "not_an_admin"),
        (admin_role.make_admin, cast.eve, "not_a_member"),
        (admin_role.remove_admin, cast.mallory, "not_a_member"),
        (members.remove, cast.mallory, "not_a_member"),
        (members.remove, uuid4(), "not_a_member"),
    ):
        refused = await refusal(chat.do(verb, conversation, cast.ada, other))
        assert (type(refused), refused.code) == (Conflict, code)
    await chat.do(admin_role.make_admin, conversation, cast.grace, cast.linus)
    await chat.do(admin_role.remove_admin, conversation, cast.linus, cast.grace)
    assert kinds(chat.changes(conversation))[-2:] == ["member.promoted", "member.demoted"]


async def test_a_conversation_takes_no_more_than_its_limit(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    set_count = "UPDATE conversations SET member_count = :count WHERE id = :conversation"
    await chat.sql(set_count, count=MAX_MEMBERS, conversation=conversation)
    assert (await refusal(chat.do(members.join, conversation, cast.eve))).code == "conversation_full"
    assert (await refusal(chat.do(members.add, conversation, cast.ada, cast.eve))).code == "conversation_full"
    await chat.sql(set_count, count=MAX_MEMBERS - 1, conversation=conversation)
    await chat.do(members.join, conversation, cast.eve)


async def test_a_person_joins_no_more_conversations_than_the_limit(chat: Chat, cast: Cast) -> None:
    public = await chat.group(cast, is_private=False)
    await chat.sql(
        "WITH made AS (INSERT INTO conversations (id, kind, name, is_private, created_by, creator_id)"
        " SELECT gen_random_uuid(), 'group', 'one of many', true, :user, :user FROM generate_series(1, :count)"
        " RETURNING id) INSERT INTO memberships (conversation_id, user_id, created_position, position)"
        " SELECT id, :user, 2, 2 FROM made",
        user=cast.eve,
        count=MAX_CONVERSATIONS,
    )
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: chat.do(members.join, public, cast.eve),
        lambda: chat.do(members.add, public, cast.ada, cast.eve),
        lambda: chat.do(groups.create, cast.eve, "One more"),
        lambda: chat.do(directs.get_or_create, cast.eve, cast.ada),
        lambda: chat.do(directs.get_or_create, cast.ada, cast.eve),
    ]
    for attempt in attempts:
        refused = await refusal(attempt())
        assert (type(refused), refused.code) == (Conflict, "too_many_conversations")
    await chat.sql(
        "UPDATE conversations SET deleted_at = now() WHERE id = (SELECT conversation_id FROM memberships"
        " WHERE user_id = :user LIMIT 1)",
        user=cast.eve,
    )
    await chat.do(members.join, public, cast.eve)
    assert (await refusal(chat.do(groups.create, cast.eve, "One more"))).code == "too_many_conversations"


async def test_a_new_name_is_a_change_in_every_conversation_of_a_member_or_closed_account(
    chat: Chat, cast: Cast
) -> None:
    conversation = await chat.group(cast)
    await chat.send(conversation, cast.linus)
    await chat.sql("UPDATE users SET first_name = 'Renamed' WHERE id IN (:one, :two)", one=cast.linus, two=cast.mallory)
    assert conversation not in await chat.do(name_changes.conversations_showing, cast.mallory, closed=False)
    assert not await chat.do(name_changes.propagate_name, conversation, cast.mallory)
    for user, kind, closed in ((cast.linus, "member.updated", False), (cast.mallory, "member.removed", True)):
        assert conversation in await chat.do(name_changes.conversations_showing, user, closed=closed)
        assert await chat.do(name_changes.propagate_name, conversation, user, closed=closed)
        last = chat.changes(conversation)[-1]
        view = as_view(last)
        assert isinstance(view, Member)
        assert (last.type, view.user.first_name, last.edited) == (kind, "Renamed", last.position)
        assert last.edited_before < last.edited
    assert not await chat.do(name_changes.propagate_name, conversation, cast.eve, closed=True)
    assert conversation not in await chat.do(name_changes.conversations_showing, cast.eve, closed=True)
