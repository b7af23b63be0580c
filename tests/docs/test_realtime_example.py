"""The worked example of docs/realtime.md on a running chat: its frames come as shown, and its program follows."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from tests.docs.markers import ROOT
from tests.docs.test_realtime import TEXT, follow
from tests.support.client import Node, Person, Socket
from tests.support.processes import Api
from tests.support.published import Json

EXAMPLE = TEXT.split("## A gap and its repair")[1].split("\n## ")[0]
LINES = re.findall(r"^([←→]) (\{.*\})$", EXAMPLE, re.MULTILINE)


def shown(line: str, conversation: str) -> Json:
    frame: Json = msgspec.json.decode(line.replace('"C"', f'"{conversation}"'))
    return frame


def within(shown: Any, received: Any) -> bool:
    """Returns whether `received` contains everything in `shown`."""
    if isinstance(shown, dict):
        return isinstance(received, dict) and all(
            key in received and within(one, received[key]) for key, one in shown.items()
        )
    if isinstance(shown, list):
        return len(shown) == len(received) and all(within(*pair) for pair in zip(shown, received, strict=True))
    return bool(shown == received)


async def test_the_worked_example_runs_as_shown(api: Api) -> None:
    node = Node(api.url)
    ada, grace = [await node.register(name) for name in ("Ada", "Grace")]
    room = await ada.converse(grace)
    await say(ada, room, "one")
    async with grace.listening() as socket:
        (line,) = socket.frames[0]["conversations"]
        positions = {room: line["position"]}
    assert positions == {room: 4}
    two = await say(ada, room, "two")
    await say(ada, room, "three")
    path = f"/conversations/{room}/messages/{two['id']}/"
    (await ada.call("PATCH", path, {"text": "two, corrected"})).good(200)

    decide, wanted = follow(), list[str]()
    async with Socket.opened(node, grace.access) as socket:
        for direction, line in LINES:
            frame = shown(line, room)
            if direction == "→":
                assert frame["conversations"] == positions, "from where one stands"
                assert wanted, "nothing was missed"
                wanted.clear()
                await socket.say(**frame)
                continue
            if frame.get("data", {}).get("text") == "four":
                for text in ("four", "five", "six"):
                    await say(ada, room, text)
            if frame.get("data", {}).get("text") == "six" and positions[room] == 8:
                await socket.expect("message.created", position=9)  # lost on the way
            received = await socket.expect(frame["type"])
            assert within(frame, received), (frame, received)
            if received["type"] == "hello":
                wanted += [one["id"] for one in received["conversations"] if one["position"] != positions[one["id"]]]
            elif "prev" in received and decide(positions, received) is None:
                wanted.append(room)
    await node.close()
    assert positions == {room: 10}
    assert [direction for direction, _ in LINES].count("→") == 2


async def say(person: Person, room: str, text: str) -> Json:
    message: Json = (await person.say(room, text)).good(201)
    return message


@pytest.mark.parametrize(
    ("shown", "received", "answer"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": [{"b": 1}]}, {"a": []}, False),
        ({"a": {"b": 1}}, {"a": None}, False),
    ],
)
def test_within_compares_a_shown_frame_with_a_received_one(shown: Any, received: Any, answer: bool) -> None:
    assert within(shown, received) is answer


def test_the_picture_names_every_close_code_that_leads_elsewhere() -> None:
    picture = (ROOT / "docs" / "socket.svg").read_text(encoding="utf-8")
    assert {"4401", "4403", "4429", "1012"} == set(re.findall(r"\b(?:44\d\d|10\d\d)\b", picture.split("</style>")[1]))
    assert "prefers-color-scheme: dark" in picture
    assert "](socket.svg)" in TEXT
