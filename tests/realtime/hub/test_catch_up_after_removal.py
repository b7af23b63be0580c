"""A conversation revoked from a socket returns completely or not at all, also during a resume."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations import groups, members, read_cursors
from app.domain.conversations.access import Access, check_access
from app.domain.messages.changes import Changes
from app.realtime.frames.client_frames import (
    MAX_FRAME_BYTES,
    MAX_PENDING_RESUMES,
    MAX_RESUMED_CONVERSATIONS,
    MAX_RESUMING_CONVERSATIONS,
)
from app.realtime.hub import hub_queries
from tests.realtime.hub.test_catch_up import Nodes, resume
from tests.support.nodes import Json, Node, eventually
from tests.support.scene import set_up


async def test_a_conversation_joined_again_comes_as_conversation_created_despite_a_pending_resume(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    other = await here.do(groups.create, scene.linus.user, "Another")
    linus = await there.join(scene.linus)
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    await linus.next("access.revoked", reason="removed")

    read, released = there.live.hub.reads.changes_for, asyncio.Event()

    async def changes_for(user: UUID, conversation: UUID, after: int, limit: int) -> tuple[Access, Changes] | None:
        await released.wait()
        return await read(user, conversation, after, limit)

    monkeypatch.setattr(there.live.hub.reads, "changes_for", changes_for)
    await linus.say("resume", conversations={str(other): 1}, ref="first")
    # Sent before the client knew, and waiting for its turn while its user is added again.
    await linus.say("resume", conversations={str(scene.conversation): 4}, ref="late")
    await eventually(lambda: scene.conversation in there.sockets(scene.linus)[0].catching_up)
    await here.do(members.add, scene.conversation, scene.ada.user, scene.linus.user)
    await here.send(scene.conversation, scene.ada, "while away")
    released.set()
    caught_up = await linus.next("caught_up", ref="late")
    created = await linus.next("conversation.created", conversation=str(scene.conversation))
    assert caught_up["positions"] == {}
    assert created["data"]["last_message"]["text"] == "while away"
    live = await here.send(scene.conversation, scene.ada, "live")
    received = await linus.next("message.created", position=live.position)
    assert received["prev"] == created["position"]
    again = await resume(linus, "again", **{str(scene.conversation): created["position"]})
    assert again["positions"] == {str(scene.conversation): live.position}


async def test_a_resume_of_a_foreign_conversation_starts_no_join(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a socket gave up comes back only to members; reading it as a join would cost a statement for each resume."""
    here, there = nodes
    scene = await set_up(here.database)
    eve = await there.join(scene.eve)
    joins: list[tuple[UUID, UUID]] = []
    monkeypatch.setattr(there.live.hub, "join", lambda user, conversation: joins.append((user, conversation)))
    for ref in ("first", "second"):
        assert (await resume(eve, ref, **{str(scene.conversation): 1}))["positions"] == {}
    assert joins == []
    assert len(eve.received("access.revoked")) == 1


async def test_a_read_mark_moved_during_a_catch_up_is_delivered(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    await here.send(scene.conversation, scene.ada)
    await linus.next("message.created")
    read, released = there.live.hub.reads.changes_for, asyncio.Event()

    async def changes_for(user: UUID, conversation: UUID, after: int, limit: int) -> tuple[Access, Changes] | None:
        await released.wait()
        return await read(user, conversation, after, limit)

    monkeypatch.setattr(there.live.hub.reads, "changes_for", changes_for)
    await linus.say("resume", conversations={str(scene.conversation): 4}, ref="late")
    await eventually(lambda: scene.conversation in there.sockets(scene.linus)[0].catching_up)
    await here.do(read_cursors.read, scene.conversation, scene.linus.user, 1)
    await asyncio.sleep(0.2)  # received but not delivered: the socket is in no room
    released.set()
    assert (await linus.next("read"))["seq"] == 1
    await linus.next("caught_up", ref="late")
    await resume(linus, "again", **{str(scene.conversation): 4})
    assert len(linus.received("read")) == 1


async def test_a_member_added_again_during_a_refused_resume_receives_the_conversation_without_a_poll(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    linus = await there.join(scene.linus)
    read, hub = there.live.hub.reads.changes_for, there.live.hub

    async def changes_for(user: UUID, conversation: UUID, after: int, limit: int) -> tuple[Access, Changes] | None:
        found = await read(user, conversation, after, limit)
        await here.do(members.add, scene.conversation, scene.ada.user, scene.linus.user)
        await eventually(lambda: scene.conversation in hub.snapshot_buffer.joined_after(0, scene.linus.user))
        await eventually(lambda: not there.live.joins)
        return found

    async def no_look() -> bool:
        return True

    monkeypatch.setattr(hub.reads, "changes_for", changes_for)
    monkeypatch.setattr(there.live.poller, "poll", no_look)
    await linus.say("resume", conversations={str(scene.conversation): 4}, ref="late")
    await linus.next("access.revoked")
    await linus.next("conversation.created", conversation=str(scene.conversation))


async def test_a_member_removed_between_the_access_check_and_the_read_receives_no_change(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)

    async def check_access_then_lose(session: AsyncSession, conversation: UUID, user: UUID) -> Access:
        door = await check_access(session, conversation, user)
        await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
        await here.send(scene.conversation, scene.ada, "secret")
        return door

    monkeypatch.setattr(hub_queries, "check_access", check_access_then_lose)
    caught_up = await resume(linus, **{str(scene.conversation): 4})
    assert caught_up["positions"] == {}
    assert [frame["reason"] for frame in linus.received("access.revoked")] == ["removed"]
    await here.send(scene.conversation, scene.ada, "another")
    await linus.quiet("message.created")
    assert linus.received("message.created") == []


async def test_a_slow_reader_gets_every_answer_of_a_resume_of_foreign_conversations(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.realtime.connection.connection.MAX_QUEUED_FRAMES", 50)
    scene = await set_up(node.database)
    idle = await node.open_idle(scene.linus)
    (connection,) = await eventually(lambda: [one for one in node.sockets(scene.linus) if one.settled])
    while connection._transport.can_write:
        await node.send(scene.conversation, scene.ada, "x" * 8_000)
    foreign = [str(uuid4()) for _ in range(200)]
    await idle.send(msgspec.json.encode({"type": "resume", "conversations": dict.fromkeys(foreign, 1)}).decode())
    # It reads nothing until half the queue is taken and the answers wait, or the queue has overflowed.
    await eventually(lambda: connection._waiting is not None or connection.close_code is not None)
    frames: list[Json] = []
    while not frames or frames[-1]["type"] != "caught_up":
        frames.append(msgspec.json.decode(await idle.recv()))
    assert [frame["conversation"] for frame in frames if frame["type"] == "access.revoked"] == foreign
    await idle.close()


async def test_the_oldest_revocations_of_a_socket_are_forgotten(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.realtime.connection.connection.MAX_REVOCATIONS", 10)
    scene = await set_up(node.database)
    linus = await node.join(scene.linus)
    (connection,) = node.sockets(scene.linus)
    foreign = [uuid4() for _ in range(25)]
    await resume(linus, **{str(one): 1 for one in foreign})
    assert [one for one in foreign if connection.is_revoked(one)] == foreign[-10:]
    assert linus.code is None


def test_a_resume_of_the_maximum_number_of_conversations_fits_a_frame() -> None:
    conversations = {str(uuid4()): 100 for _ in range(MAX_RESUMED_CONVERSATIONS)}
    frame = msgspec.json.encode({"type": "resume", "ref": "x" * 64, "conversations": conversations})
    assert len(frame) <= MAX_FRAME_BYTES


@pytest.mark.timeout(400)
async def test_five_thousand_foreign_conversations_are_resumed_in_two_parts_and_all_are_answered(node: Node) -> None:
    scene = await set_up(node.database)
    linus = await node.join(scene.linus)
    mine = [str(uuid4()) for _ in range(4_999)] + [str(scene.conversation)]
    for part in (mine[:MAX_RESUMED_CONVERSATIONS], mine[MAX_RESUMED_CONVERSATIONS:]):
        await linus.say("resume", conversations=dict.fromkeys(part, 4), ref=len(part))
    # One query for each: a second without other load.
    assert (await linus.next("caught_up", ref=3_000, patience=180))["positions"] == {}
    caught_up = await linus.next("caught_up", ref=2_000, patience=180)
    assert caught_up["positions"] == {str(scene.conversation): 4}
    assert [frame["conversation"] for frame in linus.received("access.revoked")] == mine[:-1]
    live = await node.send(scene.conversation, scene.ada)
    await linus.next("message.created", position=live.position)


async def test_waiting_resumes_are_bounded(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await set_up(node.database)
    linus = await node.join(scene.linus)
    read, released = node.live.hub.reads.changes_for, asyncio.Event()

    async def changes_for(user: UUID, conversation: UUID, after: int, limit: int) -> tuple[Access, Changes] | None:
        await released.wait()
        return await read(user, conversation, after, limit)

    monkeypatch.setattr(node.live.hub.reads, "changes_for", changes_for)
    for ref in range(MAX_RESUMING_CONVERSATIONS // MAX_RESUMED_CONVERSATIONS + 1):
        many = {str(uuid4()): 1 for _ in range(MAX_RESUMED_CONVERSATIONS)}
        await linus.say("resume", conversations=many, ref=ref)
    assert (await linus.next("error"))["code"] == "too_many_resumes"
    (connection,) = node.sockets(scene.linus)
    assert len(connection.catching_up) == MAX_RESUMING_CONVERSATIONS
    await linus.close()
    grace = await node.join(scene.grace)
    for ref in range(MAX_PENDING_RESUMES + 1):
        await grace.say("resume", conversations={str(scene.conversation): 4}, ref=ref)
    assert (await grace.next("error"))["ref"] == MAX_PENDING_RESUMES
    released.set()
    await grace.next("caught_up", ref=MAX_PENDING_RESUMES - 1)
