"""Permissions: every action for every role, in private and public conversations, and what outsiders learn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from app.domain.conversations import access, admin_role, groups, members, queries, read_cursors
from app.domain.errors import ChatError, NotFound, Unauthenticated
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import inbox, summary
from app.domain.inbox.snapshot import SnapshotRequest, newest
from app.domain.messages import changes, mark_read
from tests.support.conversations import Cast, Chat

Attempt = Callable[[Chat, Cast, UUID, UUID], Awaitable[object]]

ACTIONS: dict[str, Attempt] = {
    "detail": lambda chat, _, where, who: chat.do(detail, where, who),
    "members": lambda chat, _, where, who: chat.do(queries.members_for, where, who),
    "changes": lambda chat, _, where, who: chat.do(changes.changes_for, where, who, after=0),
    "read": lambda chat, _, where, who: chat.do(read_cursors.read, where, who, 0),
    "mark": lambda chat, _, where, who: chat.do(mark_read.mark_read, where, who, []),
    "join": lambda chat, _, where, who: chat.do(members.join, where, who),
    "leave": lambda chat, _, where, who: chat.do(members.leave, where, who),
    "rename": lambda chat, _, where, who: chat.do(groups.change, where, who, name="Renamed"),
    "hide": lambda chat, _, where, who: chat.do(groups.change, where, who, is_private=True),
    "delete": lambda chat, _, where, who: chat.do(groups.delete, where, who),
    "add": lambda chat, _, where, who: _with_newcomer(chat, where, who),
    "remove": lambda chat, cast, where, who: chat.do(members.remove, where, who, cast.linus),
    "make_admin": lambda chat, cast, where, who: chat.do(admin_role.make_admin, where, who, cast.linus),
    "remove_admin": lambda chat, cast, where, who: chat.do(admin_role.remove_admin, where, who, cast.grace),
}

MAY = "ok"
FORBIDDEN = "Forbidden not_a_member"
ADMINS = "Forbidden admins_only"
CREATOR = "Forbidden creator_only"
JOINED = "Conflict already_member"
OUT = "Conflict not_a_member"
#                 creator, admin,   member,  outsider of a public one, removed from it
EXPECTED = {
    "detail":       (MAY,    MAY,     MAY,     MAY,       MAY),
    "members":      (MAY,    MAY,     MAY,     MAY,       MAY),
    "changes":      (MAY,    MAY,     MAY,     FORBIDDEN, FORBIDDEN),
    "read":         (MAY,    MAY,     MAY,     FORBIDDEN, FORBIDDEN),
    "mark":         (MAY,    MAY,     MAY,     FORBIDDEN, FORBIDDEN),
    "join":         (JOINED, JOINED,  JOINED,  MAY,       MAY),
    "leave":        (MAY,    MAY,     MAY,     OUT,       OUT),
    "rename":       (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
    "hide":         (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
    "delete":       (MAY,    CREATOR, CREATOR, FORBIDDEN, FORBIDDEN),
    "add":          (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
    "remove":       (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
    "make_admin":   (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
    "remove_admin": (MAY,    MAY,     ADMINS,  FORBIDDEN, FORBIDDEN),
}  # fmt: skip
PARTS = ("ada", "grace", "linus", "eve", "mallory")
OUTSIDERS = ("eve", "mallory")


async def _with_newcomer(chat: Chat, conversation: UUID, who: UUID) -> None:
    await chat.do(members.add, conversation, who, await chat.person("Newcomer"))


async def answer(attempt: Awaitable[object]) -> str:
    try:
        await attempt
    except ChatError as error:
        return f"{type(error).__name__} {error.code}"
    return MAY


def test_every_action_has_its_line_in_the_table() -> None:
    assert set(ACTIONS) == set(EXPECTED)


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_role_may_do_its_own_actions_in_a_public_conversation(chat: Chat, cast: Cast, action: str) -> None:
    found = []
    for part in PARTS:
        where = await chat.group(cast, is_private=False)
        found.append(await answer(ACTIONS[action](chat, cast, where, getattr(cast, part))))
    assert tuple(found) == EXPECTED[action]


@pytest.mark.parametrize("action", ACTIONS)
async def test_members_may_do_the_same_in_a_private_conversation_and_outsiders_find_nothing(
    chat: Chat, cast: Cast, action: str
) -> None:
    found = []
    for part in PARTS:
        where = await chat.group(cast)
        found.append(await answer(ACTIONS[action](chat, cast, where, getattr(cast, part))))
    assert tuple(found) == (*EXPECTED[action][:3], "NotFound not_found", "NotFound not_found")


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_outsider_cannot_tell_a_private_conversation_exists(chat: Chat, cast: Cast, action: str) -> None:
    private, deleted = await chat.group(cast), await chat.group(cast, is_private=False)
    await chat.do(groups.delete, deleted, cast.ada)
    answers = set()
    for who in OUTSIDERS:
        for where in (private, deleted, uuid4()):
            with pytest.raises(ChatError) as refused:
                await ACTIONS[action](chat, cast, where, getattr(cast, who))
            answers.add((type(refused.value), refused.value.code, refused.value.detail, refused.value.args))
    assert len(answers) == 1


async def test_an_outsider_of_a_public_conversation_sees_no_message_and_nothing_of_reading(
    chat: Chat, cast: Cast
) -> None:
    where = await chat.group(cast, is_private=False)
    await chat.send(where, cast.ada, "between us")
    shown = await chat.do(detail, where, cast.eve)
    assert (shown.role, shown.unread, shown.read_seq, shown.last_message) == (None, 0, 0, None)
    assert shown.member_count == len(shown.members) == 3
    inside = await chat.do(detail, where, cast.linus)
    assert (inside.role, inside.unread) == ("member", 1)
    assert inside.last_message is not None


async def test_a_refused_action_leaves_no_trace(chat: Chat, cast: Cast) -> None:
    where = await chat.group(cast, is_private=False)
    before, received = await chat.do(detail, where, cast.ada), len(chat.received)
    for action, expected in EXPECTED.items():
        for part, allowed in zip(PARTS, expected, strict=True):
            if allowed != MAY:
                assert await answer(ACTIONS[action](chat, cast, where, getattr(cast, part))) == allowed
    assert await chat.do(detail, where, cast.ada) == before
    assert len(chat.received) == received


async def test_many_access_checks_are_answered_together_in_order_and_independently(chat: Chat, cast: Cast) -> None:
    public, private = await chat.group(cast, is_private=False), await chat.group(cast)
    ended = chat.caller(await chat.person("Ended"))
    await chat.do(members.join, public, ended.user)
    await chat.sql("UPDATE login_sessions SET revoked_at = now() WHERE id = :id", id=ended.session)
    linus = chat.caller(cast.linus)
    pairs = [
        access.MembershipKey(public, linus.user, linus.session),
        access.MembershipKey(private, cast.eve),
        access.MembershipKey(uuid4(), linus.user, linus.session),
        access.MembershipKey(public, cast.eve, chat.caller(cast.eve).session),
        access.MembershipKey(public, ended.user, ended.session),
        access.MembershipKey(public, linus.user, chat.caller(cast.ada).session),
        access.MembershipKey(private, linus.user),
    ]
    found = await chat.do(access.check_access_many, pairs)
    assert [f"{type(one).__name__} {one.code}" if isinstance(one, ChatError) else one.role for one in found] == [
        "member",
        "NotFound not_found",
        "NotFound not_found",
        "Forbidden not_a_member",
        "Unauthenticated not_authenticated",
        "Unauthenticated not_authenticated",
        "member",
    ]
    assert found[0] == await chat.do(access.check_access, public, cast.linus)


async def test_a_suspended_account_changes_nothing(chat: Chat, cast: Cast) -> None:
    where = await chat.group(cast)
    await chat.sql("UPDATE users SET suspended_at = now() WHERE id = :user", user=cast.grace)
    assert isinstance(
        (await chat.do(access.check_access_many, [access.MembershipKey(where, cast.grace)]))[0], Unauthenticated
    )
    for action in ("leave", "rename", "add", "remove", "make_admin"):
        assert await answer(ACTIONS[action](chat, cast, where, cast.grace)) == "Unauthenticated not_authenticated"


async def test_no_view_of_a_conversation_contains_an_email_address_or_a_hash(chat: Chat, cast: Cast) -> None:
    where = await chat.group(cast, is_private=False)
    await chat.send(where, cast.ada)
    shown: list[object] = [
        await chat.do(detail, where, cast.linus),
        await chat.do(summary, where, cast.linus),
        await chat.do(inbox, cast.linus),
        await chat.do(newest, [SnapshotRequest(cast.linus, chat.caller(cast.linus).session)]),
        await chat.do(queries.members_for, where, cast.eve),
        (await chat.do(changes.changes_for, where, cast.linus, after=0)),
        chat.received,
    ]
    text = msgspec.json.encode(shown).decode()
    assert "example.org" not in text
    assert "password" not in text
    assert set(msgspec.to_builtins(shown[0])) == {
        "id", "kind", "name", "is_private", "creator", "peer", "role", "unread", "last_seq", "read_seq", "position",
        "last_message", "updated_at", "created_by", "created_at", "members", "member_count",
    }  # fmt: skip


async def test_an_outsider_does_not_wait_for_a_private_conversation(chat: Chat, cast: Cast) -> None:
    """An unknown id gets an immediate response, so waiting would reveal that the conversation exists."""
    where = await chat.group(cast)
    async with chat.database.transaction() as session:
        await access.lock(session, where)
        async with asyncio.timeout(5):
            for action in ("join", "leave", "add"):
                assert await answer(ACTIONS[action](chat, cast, where, cast.eve)) == "NotFound not_found"


async def test_an_outsider_blocks_no_member_of_a_private_conversation(chat: Chat, cast: Cast) -> None:
    where = await chat.group(cast)
    async with chat.database.transaction() as session:
        with pytest.raises(NotFound):
            await access.lock_for_change(session, where, cast.eve)
        async with asyncio.timeout(5):
            await chat.do(groups.change, where, cast.ada, name="Engines")


async def test_a_member_removed_while_waiting_for_the_lock_is_an_outsider(chat: Chat, cast: Cast) -> None:
    where = await chat.group(cast)
    async with chat.database.transaction() as session:
        await members.remove(session, where, cast.ada, cast.linus)
        late = asyncio.create_task(answer(chat.do(members.leave, where, cast.linus)))
        await asyncio.sleep(0.3)
        assert not late.done()
    assert await late == "NotFound not_found"
