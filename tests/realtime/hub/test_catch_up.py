"""After any time away, from any position, on any node: everything missed, or `reset`, never silence."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from app.domain.conversations import admin_role, groups, members
from app.domain.conversations.access import Access
from app.domain.errors import Unavailable
from app.domain.messages import edit
from app.domain.messages.changes import Changes
from app.realtime.hub import catch_up
from tests.support.nodes import Json, Listener, Node, eventually
from tests.support.scene import set_up

Nodes = tuple[Node, Node]


async def resume(listener: Listener, ref: object = "resume", **positions: int) -> Json:
    await listener.say("resume", conversations=positions, ref=ref)
    return await listener.next("caught_up", ref=ref)


def chained(frames: list[Json], at: int) -> int:
    """Every frame follows on the one before; where they end."""
    for frame in frames:
        assert frame["prev"] == at
        assert frame["position"] > at
        at = frame["position"]
    return at


async def test_a_resume_brings_the_missed_changes_in_their_current_state(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    first = await here.send(scene.conversation, scene.ada, "first")
    second = await here.send(scene.conversation, scene.ada, "second")
    at = second.position
    for number in range(3):
        await here.do(edit.edit, scene.conversation, first.id, scene.ada, text=f"edited {number}")
    third = await there.send(scene.conversation, scene.ada, "third")
    await here.do(edit.delete, scene.conversation, second.id, scene.ada)
    await here.do(edit.edit, scene.conversation, third.id, scene.ada, text="third, edited")
    await here.do(members.add, scene.conversation, scene.ada.user, scene.eve.user)
    await here.do(admin_role.remove_admin, scene.conversation, scene.ada.user, scene.grace.user)
    await here.do(groups.change, scene.conversation, scene.ada.user, name="Renamed")
    linus = await there.join(scene.linus)
    caught_up = await resume(linus, **{str(scene.conversation): at})
    received = [frame for frame in linus.frames if "prev" in frame]
    assert [frame["type"] for frame in received] == [
        "message.updated",
        "message.deleted",
        "message.created",
        "member.added",
        "member.updated",
        "conversation.updated",
    ]
    assert received[0]["data"]["text"] == "edited 2"
    assert received[2]["data"]["text"] == "third, edited"
    end = chained(received, at)
    assert caught_up["positions"] == {str(scene.conversation): end}
    await here.send(scene.conversation, scene.ada, "live")
    assert (await linus.next("message.created"))["prev"] == end


async def test_a_resume_from_the_current_position_brings_nothing(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    caught_up = await resume(ada, **{str(scene.conversation): 4})
    assert caught_up["positions"] == {str(scene.conversation): 4}
    assert [frame for frame in ada.frames if "prev" in frame] == []


async def test_live_events_come_after_the_missed_ones(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "CHANGES_PER_PAGE", 3)
    here, there = nodes
    scene = await set_up(here.database)
    for number in range(30):
        await here.send(scene.conversation, scene.ada, str(number))
    linus = await there.join(scene.linus)
    writing = True

    async def write(node: Node) -> int:
        position = 0
        while writing:
            position = (await node.send(scene.conversation, scene.ada, "live")).position
        return position

    writers = [asyncio.create_task(write(node)) for node in nodes]
    at = 4
    for _ in range(10):
        start = len(linus.frames)
        await resume(linus, **{str(scene.conversation): at})
        received = [frame for frame in linus.frames[start:] if frame["type"] == "message.created"]
        # Frames received before the resume took effect are repeated by it.
        resumed = max((n for n, frame in enumerate(received) if frame["prev"] == at), default=len(received))
        at = chained(received[resumed:], at)
    writing = False
    last = max(await asyncio.gather(*writers))
    start = len(linus.frames)
    if at < last:
        await linus.next("message.created", position=last)
    received = linus.received("message.created")
    assert received[-1]["position"] == last


async def test_a_resume_of_more_than_a_thousand_changes_is_a_reset(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "MAX_CHANGES", 20)
    monkeypatch.setattr(catch_up, "CHANGES_PER_PAGE", 6)
    scene = await set_up(node.database)
    message = await node.send(scene.conversation, scene.ada)
    for _ in range(30):
        # Many positions, and one changed row.
        await node.do(edit.edit, scene.conversation, message.id, scene.ada, text=str(uuid4()))
    linus = await node.join(scene.linus)
    await resume(linus, **{str(scene.conversation): message.position})
    assert linus.received("reset") == []
    at = linus.frames[-2]["position"]
    for _ in range(20):
        await node.send(scene.conversation, scene.ada)
    await resume(linus, **{str(scene.conversation): at})
    assert linus.received("reset") == []
    await node.send(scene.conversation, scene.ada)
    count = len(linus.received("message.created"))
    await linus.say("resume", conversations={str(scene.conversation): at}, ref="much")
    assert await linus.next("reset") == {"type": "reset", "ref": "much", "conversation": str(scene.conversation)}
    await linus.next("caught_up", ref="much")
    await linus.quiet("message.created")
    assert len(linus.received("message.created")) - count <= 1
    live = await node.send(scene.conversation, scene.ada)
    await linus.next("message.created", position=live.position)


async def test_a_position_from_the_future_is_a_reset(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await ada.say("resume", conversations={str(scene.conversation): 5_000}, ref="f")
    assert (await ada.next("reset"))["conversation"] == str(scene.conversation)
    assert (await ada.next("caught_up", ref="f"))["positions"] == {str(scene.conversation): 4}
    await node.send(scene.conversation, scene.ada)
    assert (await ada.next("message.created"))["prev"] == 4


async def test_a_resume_by_an_outsider_receives_access_revoked(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    public = await here.do(groups.create, scene.ada.user, "Public")
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    linus = await there.join(scene.linus)
    unknown = uuid4()
    positions = {str(one): 1 for one in (scene.conversation, public, unknown)}
    caught_up = await resume(linus, **positions)
    assert caught_up["positions"] == {}
    assert {frame["conversation"] for frame in linus.received("access.revoked")} == positions.keys()
    await here.send(scene.conversation, scene.ada, "secret")
    await linus.quiet("message.created")
    assert [frame for frame in linus.frames if "prev" in frame] == []


async def test_each_of_several_resumes_is_answered(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    for ref in range(5):
        await ada.say("resume", conversations={str(scene.conversation): 4}, ref=ref)
    for ref in range(5):
        await ada.next("caught_up", ref=ref)


async def test_a_resume_waits_while_the_database_is_away(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await node.send(scene.conversation, scene.ada)

    read, away = node.live.hub.reads.changes_for, True
    await eventually(lambda: node.live.hub.trusted)

    async def changes_for(user: UUID, conversation: UUID, after: int, limit: int) -> tuple[Access, Changes] | None:
        if away:
            raise Unavailable
        return await read(user, conversation, after, limit)

    monkeypatch.setattr(node.live.hub.reads, "changes_for", changes_for)
    await ada.say("resume", conversations={str(scene.conversation): 4}, ref="patience")
    # What a look finds lacking is lacking for a reason.
    assert await node.live.poller.poll()
    await ada.quiet("caught_up", "error", "conversation.created")
    await eventually(lambda: not node.live.joins)
    await ada.quiet("caught_up", "error", "conversation.created")
    away = False
    await ada.next("caught_up", ref="patience")


async def test_snapshot_and_changes_agree_after_leaving_renaming_and_rejoining(nodes: Nodes) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    await here.do(members.leave, scene.conversation, scene.linus.user)
    await linus.next("access.revoked", reason="left")
    await here.do(groups.change, scene.conversation, scene.ada.user, name="While away")
    await here.do(members.add, scene.conversation, scene.ada.user, scene.linus.user)
    created = await linus.next("conversation.created")
    assert created["data"]["name"] == "While away"
    caught_up = await resume(linus, **{str(scene.conversation): 4})
    assert caught_up["positions"] == {str(scene.conversation): created["position"]}
    received = [frame["type"] for frame in linus.frames if frame.get("prev", 0) >= 4]
    assert received == ["member.left", "conversation.updated", "member.added"] or received[-2:] == [
        "conversation.updated",
        "member.added",
    ]
