"""Races on a real Postgres, each side on its own connection: the second sees the result of the first."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app.domain.conversations import admin_role, directs, groups, members, read_cursors
from app.domain.errors import ChatError, Conflict, Forbidden, NotFound
from app.domain.inbox.detail import detail
from tests.support.conversations import Cast, Chat

ROUNDS = 8

Attempt = Callable[[Chat, UUID, UUID, UUID], Awaitable[object]]
ANYTHING: list[Attempt] = [
    lambda chat, where, who, _: chat.do(members.join, where, who),
    lambda chat, where, who, _: chat.do(members.leave, where, who),
    lambda chat, where, who, other: chat.do(members.add, where, who, other),
    lambda chat, where, who, other: chat.do(members.remove, where, who, other),
    lambda chat, where, who, other: chat.do(admin_role.make_admin, where, who, other),
    lambda chat, where, who, other: chat.do(admin_role.remove_admin, where, who, other),
    lambda chat, where, who, other: chat.do(groups.change, where, who, name=str(other)),
]


async def outcomes(*attempts: Awaitable[object]) -> list[object]:
    """What each got, or the error it met; anything but our own errors (a deadlock, a lost connection) fails."""
    found = await asyncio.gather(*attempts, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and (not isinstance(one, ChatError) or one.code in {"busy", "unavailable"}):
            raise one
    return found


async def state_of(chat: Chat, conversation: UUID) -> tuple[int, int, int, bool]:
    """position, member_count, creators among the members, deleted."""
    ((position, count, creators, deleted),) = await chat.sql(
        "SELECT position, member_count, (SELECT count(*) FROM memberships m WHERE m.conversation_id = c.id"
        " AND m.user_id = c.creator_id AND m.left_at IS NULL AND m.role = 'admin'), deleted_at IS NOT NULL"
        " FROM conversations c WHERE id = :id",
        id=conversation,
    )
    ((members_now,),) = await chat.sql(
        "SELECT count(*) FROM memberships WHERE conversation_id = :id AND left_at IS NULL", id=conversation
    )
    assert count == members_now
    assert isinstance(position, int)
    assert isinstance(count, int)
    assert isinstance(creators, int)
    return position, count, creators, bool(deleted)


async def assert_gapless(chat: Chat, conversation: UUID) -> None:
    """Each change moved the position by one and was delivered once."""
    position, _, _, _ = await state_of(chat, conversation)
    received = sorted((one.position, one.prev) for one in chat.changes(conversation))
    assert received == [(step, step - 1) for step in range(1, position + 1)]


async def test_simultaneous_opens_of_a_direct_conversation_return_one_conversation(chat: Chat, cast: Cast) -> None:
    for _ in range(ROUNDS):
        one, other = await chat.person("One"), await chat.person("Other")
        found = await asyncio.gather(
            *(chat.do(directs.get_or_create, *pair) for pair in [(one, other), (other, one)] * 4)
        )
        assert len({conversation for conversation, _ in found}) == 1
        assert sum(new for _, new in found) == 1
        conversation = found[0][0]
        assert (await state_of(chat, conversation))[:2] == (3, 2)
        await assert_gapless(chat, conversation)


async def test_a_join_during_a_deletion_either_precedes_it_or_finds_nothing(chat: Chat, cast: Cast) -> None:
    for _ in range(ROUNDS):
        conversation = await chat.group(cast, is_private=False)
        joined, deleted = await outcomes(
            chat.do(members.join, conversation, cast.eve), chat.do(groups.delete, conversation, cast.ada)
        )
        assert deleted is None
        kinds = [one.type for one in chat.changes(conversation)]
        assert kinds[-1] == "conversation.deleted"
        assert isinstance(joined, NotFound) != ("member.joined" in kinds[2:])
        await assert_gapless(chat, conversation)


async def test_a_member_removed_while_promoted_ends_up_outside(chat: Chat, cast: Cast) -> None:
    for _ in range(ROUNDS):
        conversation = await chat.group(cast)
        removed, promoted = await outcomes(
            chat.do(members.remove, conversation, cast.ada, cast.linus),
            chat.do(admin_role.make_admin, conversation, cast.grace, cast.linus),
        )
        assert removed is None
        assert promoted is None or isinstance(promoted, Conflict)
        with pytest.raises(NotFound):
            await chat.do(detail, conversation, cast.linus)
        await assert_gapless(chat, conversation)


async def test_two_admins_who_remove_each_other_do_not_both_succeed(chat: Chat, cast: Cast) -> None:
    for _ in range(ROUNDS):
        conversation = await chat.group(cast, is_private=False)
        await chat.do(admin_role.make_admin, conversation, cast.ada, cast.linus)
        found = await outcomes(
            chat.do(members.remove, conversation, cast.grace, cast.linus),
            chat.do(members.remove, conversation, cast.linus, cast.grace),
        )
        assert sorted(one is None for one in found) == [False, True]
        assert any(isinstance(one, Forbidden) for one in found)


async def test_simultaneous_joins_of_one_person_make_one_member(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    found = await outcomes(*(chat.do(members.join, conversation, cast.eve) for _ in range(8)))
    assert sum(one is None for one in found) == 1
    assert (await state_of(chat, conversation))[1] == 4
    await assert_gapless(chat, conversation)


async def test_the_limit_of_conversations_holds_for_two_simultaneous_joins(
    chat: Chat, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = [await chat.group(cast, is_private=False) for _ in range(2)]
    monkeypatch.setattr("app.domain.conversations.membership_changes.MAX_CONVERSATIONS", 1)
    async with chat.database.transaction() as session:
        await members.join(session, one, cast.eve)
        waiting = asyncio.create_task(chat.do(members.join, other, cast.eve))
        await wait_until_blocked(chat)
    (refused,) = await outcomes(waiting)
    assert isinstance(refused, Conflict)
    assert refused.code == "too_many_conversations"


async def test_simultaneous_leaves_keep_one_creator_and_never_deadlock(chat: Chat, cast: Cast) -> None:
    for seed in range(ROUNDS):
        conversation = await chat.group(cast)
        people = [cast.ada, cast.grace, cast.linus, *[await chat.person(f"Extra {number}") for number in range(4)]]
        for extra in people[3:]:
            await chat.do(members.add, conversation, cast.ada, extra)
        random.Random(seed).shuffle(people)
        staying = people.pop()
        assert await outcomes(*(chat.do(members.leave, conversation, who) for who in people)) == [None] * len(people)
        assert (await state_of(chat, conversation))[1:] == (1, 1, False)
        assert (await chat.do(detail, conversation, staying)).creator == staying
        await chat.do(members.leave, conversation, staying)
        assert (await state_of(chat, conversation))[1:] == (0, 0, True)
        await assert_gapless(chat, conversation)


async def test_concurrent_changes_leave_one_creator_and_no_gap(chat: Chat, cast: Cast) -> None:
    for seed in range(ROUNDS):
        dice = random.Random(seed)
        conversation = await chat.group(cast, is_private=False)
        people = [cast.ada, cast.grace, cast.linus, cast.mallory, cast.eve]
        attempts: list[Awaitable[object]] = []
        for _ in range(24):
            who, other = dice.choice(people), dice.choice(people)
            attempts.append(dice.choice(ANYTHING)(chat, conversation, who, other))
        await outcomes(*attempts)
        _, count, creators, deleted = await state_of(chat, conversation)
        assert (creators, deleted) == ((1, False) if count else (0, True))
        await assert_gapless(chat, conversation)


async def test_a_read_mark_that_waited_for_a_removal_is_not_stored(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.send(conversation, cast.ada)
    async with chat.database.transaction() as session:
        await members.remove(session, conversation, cast.ada, cast.linus)
        waiting = asyncio.create_task(chat.do(read_cursors.read, conversation, cast.linus, 1))
        await wait_until_blocked(chat)
    assert isinstance((await outcomes(waiting))[0], NotFound)
    ((read_seq,),) = await chat.sql(
        "SELECT read_seq FROM memberships WHERE conversation_id = :id AND user_id = :user",
        id=conversation,
        user=cast.linus,
    )
    assert read_seq == 0


async def wait_until_blocked(chat: Chat) -> None:
    """Until a statement of this database waits for a lock."""
    async with asyncio.timeout(5):
        while not (  # noqa: ASYNC110 - Postgres has no event for this
            await chat.sql(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        ):
            await asyncio.sleep(0.01)


async def test_a_removal_that_waits_for_a_send_follows_it_in_the_log(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    sends = [chat.send(conversation, cast.linus, f"message {number}") for number in range(6)]
    found = await asyncio.gather(
        *sends[:3], chat.do(members.remove, conversation, cast.ada, cast.linus), *sends[3:], return_exceptions=True
    )
    removed = next(
        one for one in chat.changes(conversation) if one.type == "member.removed" and one.subject == cast.linus
    )
    stored = [one for one in chat.changes(conversation) if one.type == "message.created"]
    assert all(one.position < removed.position for one in stored)
    assert len(stored) == sum(not isinstance(one, BaseException) for one in found) - 1
    await assert_gapless(chat, conversation)
