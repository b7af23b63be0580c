"""Client frames: each action with its refusals, and malformed frames."""

from __future__ import annotations

import random
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.rates import Rate
from app.realtime.frames.client_frames import Malformed, parse_frame
from tests.support.nodes import Node, eventually
from tests.support.scene import set_up


async def test_a_sent_message_is_acknowledged_and_delivered(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    ada, linus = await here.join(scene.ada), await there.join(scene.linus)
    await ada.say("send", conversation=str(scene.conversation), message_type="text", text="hello", client_id="1", ref=7)
    ack = await ada.next("ack", ref=7)
    received = await linus.next("message.created")
    assert received["data"] == ack["data"]
    assert ada.received("message.created")[0]["data"] == ack["data"]
    await ada.say("send", conversation=str(scene.conversation), message_type="text", text="hello", client_id="1", ref=8)
    assert (await ada.next("ack", ref=8))["data"] == ack["data"]
    await linus.quiet("message.created")
    assert len(linus.received("message.created")) == 1


async def test_a_message_that_breaks_a_rule_is_refused_with_its_reason(node: Node) -> None:
    scene = await set_up(node.database)
    ada, eve = await node.join(scene.ada), await node.join(scene.eve)
    conversation = str(scene.conversation)
    for bad in (
        {"text": "  "},
        {"text": "x" * 8_001},
        {"text": "nul \0"},
        {"text": "x", "media_url": "https://example.org/x"},
        {"text": "x", "reply_to": 99},
        {"text": "x", "client_id": "c" * 65},
    ):
        await ada.say("send", conversation=conversation, message_type="text", ref="bad", **bad)
        error = await ada.next("error", ref="bad")
        assert error["code"].startswith("invalid"), error
        assert error["detail"]
    await ada.say("send", conversation=str(uuid4()), message_type="text", text="x", ref="where")
    assert (await ada.next("error", ref="where"))["code"] == "not_found"
    await eve.say("send", conversation=conversation, message_type="text", text="x", ref="who")
    assert (await eve.next("error", ref="who"))["code"] == "not_found"
    assert ada.received("message.created") == []


async def test_a_sender_who_sends_too_much_is_throttled(node: Node) -> None:
    scene = await set_up(node.database)
    node.throttles.rates["messages"] = Rate(2, 60)
    ada = await node.join(scene.ada)
    for number in range(3):
        await ada.say("send", conversation=str(scene.conversation), message_type="text", text="x", ref=number)
    throttled = await ada.next("throttled", ref=2)
    assert throttled["policy"] == "messages"
    assert throttled["retry_after"] >= 1
    assert len(ada.received("ack")) == 2


async def test_a_read_frame_is_answered_with_the_read_state(node: Node) -> None:
    scene = await set_up(node.database)
    linus, eve = await node.join(scene.linus), await node.join(scene.eve)
    for _ in range(3):
        await node.send(scene.conversation, scene.ada)
    await linus.say("read", conversation=str(scene.conversation), seq=2, ref="r")
    assert (await linus.next("ack", ref="r"))["data"] == {"read_seq": 2, "unread": 1}
    await linus.say("read", conversation=str(scene.conversation), seq=4, ref="future")
    assert (await linus.next("error", ref="future"))["code"] == "invalid_seq"
    await eve.say("read", conversation=str(scene.conversation), seq=1, ref="e")
    assert (await eve.next("error", ref="e"))["code"] == "not_found"


async def test_a_ping_is_answered(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await ada.say("ping", ref="here?")
    assert await ada.next("pong") == {"type": "pong", "ref": "here?"}


NONSENSE = [
    "",
    "null",
    "[]",
    "{",
    "{}",
    '{"type":"teleport"}',
    '{"type":7}',
    '{"type":"ping","extra":1}',
    '{"type":"ping","ref":{}}',
    '{"type":"send"}',
    '{"type":"send","conversation":"x","message_type":"text"}',
    '{"type":"read","conversation":"00000000-0000-0000-0000-000000000000","seq":-1}',
    '{"type":"read","conversation":"00000000-0000-0000-0000-000000000000","seq":99999999999999999999}',
    '{"type":"resume","conversations":[]}',
    '{"type":"auth"}',
    '{"type":"ping"' + "[" * 5_000,
    '{"type":"send","text":' + "[" * 20_000 + "]" * 20_000 + "}",
    '{"type":"ping","ref":"\\ud800"}',
]


async def test_a_malformed_frame_receives_an_error_and_the_socket_stays_open(node: Node) -> None:
    scene = await set_up(node.database)
    for text in NONSENSE:
        ada = await node.join(scene.ada)
        await ada.socket.send(text)
        error = await ada.next("error")
        assert error["code"] == "malformed", text
        assert "Traceback" not in error["detail"]
        await ada.quiet("error")
        await ada.close()


async def test_the_error_of_a_malformed_frame_carries_its_ref(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await ada.say("send", ref="mine", conversation="nowhere")
    assert (await ada.next("error"))["ref"] == "mine"


async def test_a_socket_that_sends_only_malformed_frames_is_closed(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    for _ in range(10):
        await ada.socket.send("nonsense")
    assert await ada.closed() == 4400
    assert len(ada.received("error")) == 10


async def test_a_binary_frame_is_malformed(node: Node) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await ada.socket.send(b'{"type":"ping"}')
    assert (await ada.next("error"))["code"] == "malformed"


@pytest.mark.parametrize("letter", ["x", "é"])
async def test_a_frame_that_is_too_large_closes_the_socket(node: Node, letter: str) -> None:
    scene = await set_up(node.database)
    ada = await node.join(scene.ada)
    await ada.socket.send(letter * (128 * 1024 // len(letter.encode())) + "x")
    assert await ada.closed() == 1009
    assert ada.socket.close_reason == "too_large"


async def test_too_many_frames_a_second_close_the_socket(node: Node) -> None:
    scene = await set_up(node.database)
    ada, grace = await node.join(scene.ada), await node.join(scene.grace)
    for _ in range(300):
        await ada.socket.send('{"type":"ping"}')
        if ada.code:
            break
    assert await ada.closed() == 4429
    assert ada.socket.close_reason == "too_many"
    await grace.quiet()


async def test_random_bytes_receive_an_error_or_close_the_socket_cleanly(node: Node) -> None:
    scene = await set_up(node.database)
    dice = random.Random(7)
    for _ in range(10):
        ada = await node.join(scene.ada)
        transport = ada.socket.transport
        transport.write(dice.randbytes(dice.randrange(1, 4_000)))
        transport.write(dice.randbytes(2_000))
        transport.write_eof()
        await ada.socket.wait_closed()
    await eventually(lambda: not node.sockets(scene.ada))
    grace = await node.join(scene.grace)
    await grace.quiet()


@given(text=st.text(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_input_parses_to_a_frame_or_raises_malformed(text: str) -> None:
    with suppress(Malformed):
        parse_frame(text)
