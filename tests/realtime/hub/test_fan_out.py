from __future__ import annotations

from uuid import UUID

from app.domain.conversations import groups, members, read_cursors
from app.domain.conversations.models import Conversation
from app.domain.messages import edit, send
from app.realtime.connection.socket_metrics import DELIVERY, DELIVERY_BUCKETS
from tests.support.drafts import draft
from tests.support.nodes import Node, eventually
from tests.support.scene import group, person, set_up


async def test_hello_comes_first_and_lists_the_conversations(node: Node) -> None:
    scene = await set_up(node.database)
    await node.send(scene.conversation, scene.ada, "x" * 300)
    ada = await node.join(scene.ada)
    hello = ada.frames[0]
    assert hello["type"] == "hello"
    assert hello["session"] == str(scene.ada.session)
    assert hello["user"] == str(scene.ada.user)
    assert hello["next"] is False
    (line,) = hello["conversations"]
    assert line["id"] == str(scene.conversation)
    assert line["last_message"]["text"] == "x" * 200
    await ada.quiet("message.created")


async def test_the_rest_of_a_long_list_follows_without_a_request(node: Node) -> None:
    ada = await person(node.database, "Ada")
    ids = {str(await group(node.database, ada)) for _ in range(120)}
    listener = await node.join(ada)
    received = listener.received("hello", "conversations")
    assert [len(frame["conversations"]) for frame in received] == [50, 50, 20]
    assert [frame["next"] for frame in received] == [True, True, False]
    assert {line["id"] for frame in received for line in frame["conversations"]} == ids
    for conversation in ids:
        await node.send(UUID(conversation), ada)
    for _ in ids:
        await listener.next("message.created")


async def test_a_message_reaches_every_process_once_and_in_order(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus, eve = await here.join(scene.ada), await there.join(scene.linus), await there.join(scene.eve)
    for number in range(10):
        await (here if number % 2 else there).send(scene.conversation, scene.ada, f"message {number}")
    for listener in (ada, linus):
        await listener.next("message.created", position=14)
        received = listener.received("message.created")
        assert [frame["data"]["text"] for frame in received] == [f"message {number}" for number in range(10)]
        assert [(frame["prev"], frame["position"]) for frame in received] == [(n, n + 1) for n in range(4, 14)]
    await eve.quiet("message.created")


async def test_events_of_one_commit_are_delivered_in_order_as_separate_frames(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    other = await group(here.database, scene.ada, scene.linus)
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    drafts = [
        draft(conversation, scene.ada, "text", f"message {number} " + "x" * 6_000)
        for number in range(30)
        for conversation in (scene.conversation, other)
    ]
    await here.do(send.send_batch, drafts)
    for listener in (ada, linus):
        await listener.next("message.created", conversation=str(other), position=33)
        for conversation, first in ((scene.conversation, 4), (other, 3)):
            received = [
                frame for frame in listener.received("message.created") if frame["conversation"] == str(conversation)
            ]
            assert [(frame["prev"], frame["position"]) for frame in received] == [
                (n, n + 1) for n in range(first, first + 30)
            ]
            assert [frame["data"]["text"].split()[1] for frame in received] == [str(number) for number in range(30)]


async def test_edits_and_deletions_are_delivered_in_their_current_state(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    message = await here.send(scene.conversation, scene.ada, "first")
    await here.do(edit.edit, scene.conversation, message.id, scene.ada, text="second")
    await here.do(edit.delete, scene.conversation, message.id, scene.ada)
    assert (await linus.next("message.updated"))["data"]["text"] == "second"
    deleted = await linus.next("message.deleted")
    assert deleted["data"]["text"] == ""
    assert deleted["data"]["deleted_at"] is not None
    assert deleted["prev"] == deleted["position"] - 1


async def test_a_creator_receives_the_new_conversation_and_its_events(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    phone, desk = await here.join(scene.ada), await there.join(scene.ada)
    conversation = await here.do(groups.create, scene.ada.user, "New")
    for listener in (phone, desk):
        created = await listener.next("conversation.created")
        assert created["data"]["id"] == str(conversation)
        assert created["position"] == created["data"]["position"] == 2
        assert created["prev"] == 0
        assert created["data"]["role"] == "admin"
    await there.send(conversation, scene.ada)
    for listener in (phone, desk):
        message = await listener.next("message.created")
        assert message["prev"] == 2
        assert len(listener.received("conversation.created", "member.joined")) == 1


async def test_an_added_member_receives_the_conversation_and_the_others_the_member(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, eve = await here.join(scene.ada), await there.join(scene.eve)
    await there.send(scene.conversation, scene.ada, "before")
    await here.do(members.add, scene.conversation, scene.ada.user, scene.eve.user)
    added = await ada.next("member.added")
    assert added["data"]["user"]["id"] == str(scene.eve.user)
    assert added["data"]["by"]["id"] == str(scene.ada.user)
    created = await eve.next("conversation.created")
    assert created["data"]["last_message"]["text"] == "before"
    assert created["position"] == added["position"]
    await here.send(scene.conversation, scene.ada, "after")
    assert (await eve.next("message.created"))["prev"] == created["position"]
    await eve.quiet("member.added")


async def test_a_removed_member_receives_the_removal_and_nothing_later(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    phone, desk = await here.join(scene.linus), await there.join(scene.linus)
    grace = await there.join(scene.grace)
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    await here.send(scene.conversation, scene.ada, "without linus")
    await grace.next("member.removed")
    await grace.next("message.created")
    for listener in (phone, desk):
        removed = await listener.next("member.removed")
        assert removed["data"]["user"]["id"] == str(scene.linus.user)
        revoked = await listener.next("access.revoked")
        assert (revoked["conversation"], revoked["reason"]) == (str(scene.conversation), "removed")
        await listener.quiet("message.created")
        assert listener.received("message.created") == []
    await grace.quiet("access.revoked")


async def test_a_member_added_again_receives_events_again(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    await here.send(scene.conversation, scene.ada, "missed")
    await here.do(members.add, scene.conversation, scene.ada.user, scene.linus.user)
    await linus.next("access.revoked")
    created = await linus.next("conversation.created")
    await here.send(scene.conversation, scene.ada, "heard")
    heard = await linus.next("message.created")
    assert (heard["data"]["text"], heard["prev"]) == ("heard", created["position"])


async def test_a_deleted_conversation_ends_for_every_member(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    listeners = [await here.join(scene.ada), await there.join(scene.linus)]
    await here.do(groups.delete, scene.conversation, scene.ada.user)
    for listener in listeners:
        await listener.next("conversation.deleted")
        assert (await listener.next("access.revoked"))["reason"] == "deleted"
    assert scene.conversation not in here.live.hub.registry.rooms
    assert scene.conversation not in there.live.hub.registry.rooms


async def test_a_read_mark_in_a_small_conversation_reaches_every_member(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    message = await here.send(scene.conversation, scene.ada)
    await there.do(read_cursors.read, scene.conversation, scene.linus.user, message.seq)
    for listener in (ada, linus):
        mark = await listener.next("read")
        assert mark == {
            "type": "read",
            "conversation": str(scene.conversation),
            "user": str(scene.linus.user),
            "seq": message.seq,
        }


async def test_a_read_mark_in_a_large_conversation_reaches_only_the_readers_devices(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    await here.send(scene.conversation, scene.ada)
    ada, phone, desk = await here.join(scene.ada), await here.join(scene.linus), await there.join(scene.linus)
    async with here.database.transaction() as session:
        conversation = await session.get_one(Conversation, scene.conversation)
        conversation.member_count = 201
    await phone.say("read", conversation=str(scene.conversation), seq=1)
    await phone.next("read")
    await desk.next("read")
    await ada.quiet("read")


async def test_typing_reaches_the_other_members_and_no_outsider(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    phone, desk = await here.join(scene.ada), await there.join(scene.ada)
    linus, eve, grace = await there.join(scene.linus), await there.join(scene.eve), await here.join(scene.grace)
    await phone.say("typing", conversation=str(scene.conversation))
    typing = await linus.next("typing")
    assert (typing["user"], typing["expires_in"]) == (str(scene.ada.user), 10)
    for listener in (phone, desk, eve):
        await listener.quiet("typing")
        assert listener.received("typing") == []
    await eve.say("typing", conversation=str(scene.conversation), ref=1)
    assert (await eve.next("error", ref=1))["code"] == "not_found"
    await there.send(scene.conversation, scene.ada)
    for listener in (linus, grace):
        await listener.next("message.created")
        assert len(listener.received("typing")) == 1


async def test_a_room_without_sockets_is_removed(fresh_node: Node) -> None:
    node = fresh_node
    scene = await set_up(node.database)
    ada, linus = await node.join(scene.ada), await node.join(scene.linus)
    await ada.close()
    await linus.close()
    registry = node.live.hub.registry
    await eventually(lambda: not node.live.endpoint)
    assert not registry.rooms
    assert not registry.sockets_by_user
    assert not registry.logins


def deliveries() -> dict[str, float]:
    """Observations up to each bucket's bound, since the start of this process."""
    (family,) = DELIVERY.collect()
    return {one.labels["le"]: one.value for one in family.samples if one.name.endswith("_bucket")}


async def test_a_delivery_is_measured_from_the_row_where_there_are_sockets(nodes: tuple[Node, Node]) -> None:
    """Both nodes are in this process, and so is what they measure."""
    here, there = nodes
    scene = await set_up(here.database)
    await here.send(scene.conversation, scene.ada)
    unheard = deliveries()
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    assert deliveries() == unheard, "a process without sockets in the room delivers nothing"
    sent = await here.send(scene.conversation, scene.ada)
    for listener in (ada, linus):
        await listener.next("message.created", position=sent.position)
    measured = deliveries()
    assert measured["+Inf"] - unheard["+Inf"] == 2
    assert measured[str(DELIVERY_BUCKETS[-1])] - unheard[str(DELIVERY_BUCKETS[-1])] == 2, "the clocks are one"
    await here.do(edit.edit, scene.conversation, sent.id, scene.ada, text="changed")
    await ada.next("message.updated")
    assert deliveries() == measured, "an edit is not a new message"
