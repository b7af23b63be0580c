"""`typing`, `read` and `presence` frames are limited per user, over all their sockets."""

from __future__ import annotations

import asyncio
from functools import partial
from unittest.mock import Mock
from uuid import UUID

import pytest
from sqlalchemy import update

from app.db import Database
from app.domain.conversations.models import Conversation, Membership
from app.domain.conversations.schemas import ReadState
from app.domain.errors import ChatError, Invalid, NotFound, Throttled
from app.domain.events import SMALL_CONVERSATION
from app.domain.rates import Rate
from app.realtime import read_marks
from app.realtime.connection import frame_limits
from app.realtime.read_marks import ReadMarks
from tests.support.nodes import Node, eventually
from tests.support.scene import Scene, group, set_up
from tests.support.statements import recorded_statements


async def resize(node: Node, scene: Scene, members: int) -> None:
    """As if so many were in it: nothing else looks at the number here."""
    async with node.database.transaction() as session:
        await session.execute(
            update(Conversation).where(Conversation.id == scene.conversation).values(member_count=members)
        )


async def test_typing_of_one_user_over_many_sockets_is_delivered_a_few_times(node: Node) -> None:
    scene = await set_up(node.database)
    linus, ada = await node.join(scene.linus), [await node.join(scene.ada) for _ in range(4)]
    for _ in range(20):
        for socket in ada:
            await socket.say("typing", conversation=str(scene.conversation), ref="typing")
    for socket in ada:
        await socket.quiet()
    await linus.quiet()
    assert frame_limits.USER_BURST <= len(linus.received("typing")) <= frame_limits.USER_BURST + 20
    # Dropped, not refused: typing may be lost.
    assert [frame["type"] for socket in ada for frame in socket.frames if frame.get("ref") == "typing"] == []


async def test_typing_of_one_user_leaves_the_allowance_of_another(node: Node) -> None:
    scene = await set_up(node.database)
    linus, ada, grace = [await node.join(who) for who in (scene.linus, scene.ada, scene.grace)]
    for _ in range(frame_limits.USER_BURST * 2):
        await ada.say("typing", conversation=str(scene.conversation))
    await ada.quiet()
    await grace.say("typing", conversation=str(scene.conversation))
    await linus.next("typing", user=str(scene.grace.user))


@pytest.mark.parametrize(("members", "received"), [(SMALL_CONVERSATION, 1), (SMALL_CONVERSATION + 1, 0)])
async def test_typing_is_delivered_in_conversations_of_up_to_two_hundred_members(
    node: Node, members: int, received: int
) -> None:
    scene = await set_up(node.database)
    await resize(node, scene, members)
    linus, ada = await node.join(scene.linus), await node.join(scene.ada)
    await ada.say("typing", conversation=str(scene.conversation))
    await ada.quiet()
    await linus.quiet()
    assert len(linus.received("typing")) == received
    assert ada.received("error") == []


async def test_the_size_of_a_conversation_is_read_once_for_many_typing_frames(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    with recorded_statements(node.database) as statements:
        for _ in range(10):
            await ada.say("typing", conversation=str(scene.conversation))
        await ada.quiet()
    assert len(sizes(statements)) == 1


def sizes(statements: list[str]) -> list[str]:
    return [
        one for one in statements if "member_count" in one and "FROM conversations" in one and "position" not in one
    ]


def moves(statements: list[str]) -> int:
    return len([one for one in statements if one.startswith("UPDATE memberships SET read_seq")])


async def test_read_frames_that_arrive_together_share_a_transaction(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.live.read_marks, "_allowances", frame_limits.UserAllowances(0.5, 3))
    scene = await set_up(node.database)
    linus = [await node.join(scene.linus) for _ in range(2)]
    for _ in range(30):
        await node.send(scene.conversation, scene.ada)
    with recorded_statements(node.database) as statements:
        for seq in range(1, 31):
            await linus[seq % 2].say("read", conversation=str(scene.conversation), seq=seq, ref=seq)
        last = await linus[0].next("ack", ref=30)
    assert last["data"] == {"read_seq": 30, "unread": 0}
    # Three at once, then one every two seconds for all that arrived in between.
    assert 1 <= moves(statements) <= 8
    answered = [frame for socket in linus for frame in socket.received("ack")]
    await eventually(lambda: len([frame for socket in linus for frame in socket.received("ack")]) == 30)
    assert all(frame["data"]["read_seq"] >= frame["ref"] for frame in answered)


async def test_a_flood_of_read_frames_costs_a_few_transactions(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_limits, "USER_BURST", 3)
    scene = await set_up(node.database)
    for _ in range(60):
        await node.send(scene.conversation, scene.ada)
    own = ReadMarks(node.database)
    own._allowances = frame_limits.UserAllowances(0.001, 3)
    answers: list[object] = []
    with recorded_statements(node.database) as statements:
        for seq in range(1, 61):
            await own.mark(scene.linus.user, scene.conversation, seq, answers.append)
            await asyncio.sleep(0.005)
        assert moves(statements) <= 3
        # What was said is stored, also when the process ends first.
        await own.stop()
        assert moves(statements) <= 4
    assert len(answers) == 60
    async with node.database.transaction() as session:
        assert (await session.get_one(Membership, (scene.conversation, scene.linus.user))).read_seq == 60


async def test_an_invalid_read_mark_leaves_those_merged_with_it_intact(node: Node) -> None:
    scene = await set_up(node.database)
    other = await group(node.database, scene.grace)
    await node.send(scene.conversation, scene.ada)
    own = ReadMarks(node.database)
    own._allowances = frame_limits.UserAllowances(0.001, 0)
    answers: dict[str, object] = {}
    for name, conversation, seq in (
        ("first", scene.conversation, 0),
        ("right", scene.conversation, 1),
        ("future", scene.conversation, 99),
        ("foreign", other, 1),
    ):
        await own.mark(scene.linus.user, conversation, seq, partial(answers.__setitem__, name))
    with recorded_statements(node.database) as statements:
        await own.stop()
    assert moves(statements) == 1
    state = ReadState(read_seq=1, unread=0)
    assert (answers["first"], answers["right"]) == (state, state)
    assert isinstance(answers["future"], Invalid)
    assert isinstance(answers["foreign"], NotFound)


async def test_too_many_waiting_read_frames_are_throttled(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_marks, "MAX_WAITING_FRAMES", 5)
    own = ReadMarks(Mock(Database))
    own._allowances = frame_limits.UserAllowances(0.001, 0)
    user, conversation = UUID(int=1), UUID(int=2)
    answers: list[object] = []
    for seq in range(5):
        await own.mark(user, conversation, seq, answers.append)
    with pytest.raises(Throttled) as refused:
        await own.mark(user, conversation, 6, answers.append)
    assert refused.value.policy == "read"
    await own.mark(UUID(int=3), conversation, 6, answers.append)
    await own.stop()
    assert len(answers) == 6
    assert all(isinstance(one, ChatError) and one.code == "internal" for one in answers)


async def test_a_presence_frame_counts_as_a_request(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    node.throttles.rates["requests"] = Rate(2, 60)
    await node.redis_client.redis.flushall()
    for ref in range(3):
        await ada.say("presence", conversation=str(scene.conversation), ref=ref)
    assert (await ada.next("throttled", ref=2))["policy"] == "requests"
    assert len(ada.received("ack")) == 2
