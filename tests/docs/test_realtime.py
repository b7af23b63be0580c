"""docs/realtime.md documents exactly the existing frames and close codes, and its program works."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import msgspec
import pytest
from chat_client import link, pauses, rest, sender

from app.api.errors.codes import UNKNOWN_HOST
from app.api.middleware import allowed_hosts
from app.domain.events import ChangeType
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages.content import MAX_TEXT_LENGTH, MAX_URL_LENGTH
from app.domain.messages.schemas import Message
from app.domain.users.schemas import Person
from app.realtime import hello
from app.realtime.bus import ephemeral_events
from app.realtime.connection import close_codes as codes
from app.realtime.connection import connection, frame_limits
from app.realtime.frames import answer_frames, change_frames, client_frames, frame_catalogue, server_frames
from app.realtime.hub.catch_up import MAX_CHANGES
from app.store import message_writer
from tests.docs.markers import ROOT

TEXT = (ROOT / "docs" / "realtime.md").read_text(encoding="utf-8")
SERVER, CLIENT = TEXT.split("## Server frames")[1].split("## Client frames")
CLIENT = CLIENT.split("## Positions")[0]
APP = Path(client_frames.__file__).parents[2]
IN_WORDS = {"hello", "conversations"}
"""Described in prose, not in the tables."""


def named(part: str) -> set[str]:
    """What stands in the first column of the tables."""
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}


def sent() -> Iterator[str]:
    """The types of all frames the program makes."""
    yield from (str(kind.__struct_config__.tag) for kind in frame_catalogue.PUSHED)


def made() -> Iterator[str]:
    """The types of frames as the sources make them."""
    yield from get_args(ChangeType)
    tags = {kind.__name__: str(kind.__struct_config__.tag) for kind in frame_catalogue.PUSHED}
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in tags:
                    yield tags[name]


def close_codes() -> set[int]:
    found = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    written = {int(code) for file in APP.rglob("*.py") for code in re.findall(r"\b(44\d\d)\b", file.read_text())}
    return {code for code in found if 1_000 < code < 5_000} | written


def test_documented_frames_and_server_frames_are_the_same() -> None:
    found = set(sent())
    assert len(found) > 20
    assert named(SERVER) == found - IN_WORDS
    assert {kind for kind in IN_WORDS if f"`{kind}`" in TEXT} == IN_WORDS <= found


def test_declared_frames_and_sent_frames_are_the_same() -> None:
    assert set(made()) == set(sent())


def test_every_client_frame_is_documented_with_its_fields() -> None:
    kinds: dict[str, Any] = {kind.__struct_config__.tag: kind for kind in get_args(client_frames.AnyClientFrame)}
    assert named(CLIENT) == set(kinds)
    for tag, kind in kinds.items():
        (row,) = [line for line in CLIENT.splitlines() if line.startswith(f"| `{tag}` |")]
        for field in set(kind.__struct_fields__) - {"ref"}:
            assert re.search(rf"\b{field}\b", row), (tag, field)


def test_every_close_code_is_documented_with_what_to_do() -> None:
    received = {int(code): row for row in TEXT.splitlines() for code in re.findall(r"^\| (\d{4}) \|", row)}
    assert set(received) == close_codes()
    assert allowed_hosts.__doc__
    for code, row in received.items():
        _, _, _, what_to_do, reason, _ = row.split("|")
        assert len(what_to_do.split()) >= 2
        assert set(re.findall(r"`(\w+)`", reason)) == set(codes.REASONS[code])
    assert UNKNOWN_HOST.code == codes.UNKNOWN_HOST


def test_the_numbers_are_those_of_the_program() -> None:
    assert f"{MAX_CHANGES:,} changes" in TEXT
    assert f"{client_frames.MAX_RESUMED_CONVERSATIONS:,} conversations" in TEXT
    assert f"{client_frames.MAX_FRAME_BYTES // 1024} KiB" in TEXT
    assert f"newest {hello.CONVERSATIONS_PER_FRAME} conversations" in TEXT
    assert f"{frame_limits.FRAMES_PER_SECOND} frames a second" in TEXT
    assert f"{connection.MAX_QUEUED_FRAMES:,} frames wait" in TEXT
    assert connection.SOCKETS_PER_USER == 20
    assert "Twenty sockets" in TEXT
    assert (frame_limits.MAX_MALFORMED, frame_limits.MALFORMED_SECONDS, connection.STUCK_SECONDS) == (10, 10.0, 10.0)
    assert ephemeral_events.TYPING_SECONDS == 10


def test_every_field_of_a_signal_is_documented() -> None:
    for kind, fields in {
        "typing": ("user", "expires_in"),
        "read": ("user", "seq"),
        "access.revoked": ("reason",),
    }.items():
        (row,) = [line for line in SERVER.splitlines() if line.startswith(f"| `{kind}` |")]
        assert all(field in row for field in fields), kind


def follow() -> Any:
    (program,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    space: dict[str, Any] = {}
    exec(program, space)
    return space["follow"]


@pytest.mark.parametrize(
    ("kind", "position", "prev", "mine", "answer", "after"),
    [
        ("message.created", 11, 10, 10, True, 11),
        ("message.updated", 14, 10, 10, True, 14),
        ("message.created", 10, 9, 10, False, 10),
        ("message.created", 9, 8, 10, False, 10),
        ("message.created", 12, 11, 10, None, 10),
        ("message.created", 12, 11, None, False, None),
        ("conversation.created", 12, 0, None, True, 12),
        ("conversation.created", 12, 0, 10, None, 10),
        ("conversation.created", 12, 0, 12, True, 12),
    ],
)
def test_the_little_program_applies_drops_or_asks(
    kind: str, position: int, prev: int, mine: int | None, answer: bool | None, after: int | None
) -> None:
    positions = {} if mine is None else {"c": mine}
    frame = {"type": kind, "conversation": "c", "position": position, "prev": prev}
    assert follow()(positions, frame) is answer
    assert positions.get("c") == after


def test_the_reply_column_is_that_of_the_program() -> None:
    for tag, kinds in frame_catalogue.REPLIES.items():
        (row,) = [line for line in CLIENT.splitlines() if line.startswith(f"| `{tag}` |")]
        named_replies = set(re.findall(r"`([a-z_.]+)`", row.split("|")[3])) - {"ref", "online"}
        assert named_replies == {str(kind.__struct_config__.tag) for kind in kinds}, tag


def test_every_field_of_hello_is_named() -> None:
    part = TEXT.split("## The first frame")[1].split("\n## ")[0]
    assert [
        field for field in server_frames.Hello.__struct_fields__ if f"`{field}" not in part and field != "next"
    ] == []
    assert '"next": true' in part


def test_the_recommended_waits_are_those_of_the_reference_client() -> None:
    part = TEXT.split("## How long to wait")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| ")
    ]
    seconds = {row[0]: row[1] for row in rows}
    assert seconds["the socket to open"] == f"{link.OPEN_SECONDS:g}"
    assert seconds["`hello`"] == f"{link.HELLO_SECONDS:g}"
    assert seconds["a reply to `send`"] == f"{sender.ATTEMPT_SECONDS:g}"
    assert seconds["a REST response"] == f"{rest.SECONDS:g}"
    connect = seconds["the next attempt to connect"]
    assert connect.startswith(f"{pauses.FIRST:g}, doubled each time, up to {pauses.LONGEST:g}")
    assert connect.endswith(f"{link.WAIT:g} more after 4429")
    again = seconds["the next attempt to send"]
    assert f"{sender.FIRST_PAUSE:g}, doubled each time, up to {sender.LONGEST_PAUSE:g}" in again
    assert f"a frame with {link.RESUMED_TOGETHER:,} never exceeds" in TEXT
    assert f"some {message_writer.QUEUE_SECONDS + message_writer.WRITE_SECONDS:g} s" in part


def test_the_typescript_client_waits_as_long_as_the_other() -> None:
    source = (ROOT / "clients" / "typescript" / "src" / "timing.ts").read_text(encoding="utf-8")
    seconds = {name: float(number) for name, number in re.findall(r"^  (\w+): ([\d.]+),$", source, re.MULTILINE)}
    assert seconds["open"] == link.OPEN_SECONDS
    assert seconds["hello"] == link.HELLO_SECONDS
    assert seconds["answer"] == sender.ATTEMPT_SECONDS
    assert seconds["rest"] == rest.SECONDS
    assert (seconds["firstReconnect"], seconds["longestReconnect"]) == (pauses.FIRST, pauses.LONGEST)
    assert (seconds["tooMany"], seconds["steady"]) == (link.WAIT, pauses.STEADY_SECONDS)
    assert (seconds["firstRetry"], seconds["longestRetry"]) == (sender.FIRST_PAUSE, sender.LONGEST_PAUSE)
    assert f"RESUMED_TOGETHER = {link.RESUMED_TOGETHER:_}" in source
    assert f"for {seconds['silence']:g} seconds after a ping" in TEXT


def test_the_largest_frames_of_a_server_have_at_most_a_mebibyte() -> None:
    assert "exceeds 1 MiB" in TEXT
    person = Person(id=uuid4(), first_name="\x01" * 100, last_name="\x01" * 100)
    message = Message(
        id=uuid4(),
        conversation=uuid4(),
        seq=2**62,
        position=2**62,
        sent_by=person,
        message_type="text",
        text="\x01" * MAX_TEXT_LENGTH,
        media_url="",
        client_id="\x01" * 64,
        reply_to=2**62,
        sent_at=datetime.now(UTC),
        updated_at=datetime.now(UTC),
        deleted_at=datetime.now(UTC),
    )
    media = msgspec.structs.replace(message, message_type="image", text="", media_url="\\" * MAX_URL_LENGTH)
    entry = ConversationSummary(
        id=uuid4(),
        kind="direct",
        name="\x01" * 100,
        is_private=True,
        creator=uuid4(),
        peer=person,
        role="admin",
        unread=2**62,
        last_seq=2**62,
        read_seq=0,
        position=2**62,
        last_message=media,
        updated_at=datetime.now(UTC),
    )
    hello_frame = server_frames.Conversations(conversations=[entry] * hello.CONVERSATIONS_PER_FRAME, next=False)
    created = change_frames.MessageCreated(conversation=uuid4(), position=2**62, prev=2**62, data=message)
    positions = {uuid4(): 2**62 for _ in range(client_frames.MAX_RESUMED_CONVERSATIONS)}
    caught_up = answer_frames.CaughtUp(ref="\x01" * 64, positions=positions)
    for frame in (hello_frame, created, caught_up):
        assert len(msgspec.json.encode(frame)) < 2**20
