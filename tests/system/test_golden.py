"""The wire is frozen: one file for each frame and each view, as a running chat sends them, field by field, in order.

Clients rely on these bytes. `make golden` rewrites them: read the difference, and describe it in the changelog.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast, get_args
from uuid import UUID

import msgspec
import pytest

from app.api.docs.examples.rest import ANSWERS
from app.api.errors.problems import Problem
from app.domain import schemas
from app.domain.broadcasts.schemas import Announcement
from app.domain.conversations.change_log import view_change
from app.domain.conversations.schemas import Member
from app.domain.events import ChangeType
from app.domain.notifications.schemas import NotificationPage
from app.domain.users.schemas import Person
from app.realtime.frames.frame_encoder import change_frame, encode_json, notification_frame, payloads_of
from app.realtime.frames.server_frames import MemberPresence
from app.realtime.hub import broadcast_poller
from tests.docs.markers import ROOT
from tests.docs.test_realtime import sent
from tests.support.client import Node
from tests.support.processes import processes
from tests.support.recorded_session import Recorder, play
from tests.support.servers import public_directory

GOLDEN = ROOT / "tests" / "system" / "golden"
NOT_SENT = {"View", "Page"}
"""A base, and a shape."""


@pytest.fixture(scope="session")
def urls(database_url: str, redis_url: str) -> Iterator[tuple[str, str]]:
    with public_directory() as directory, processes(directory, database_url, redis_url) as started:
        free, throttled = started.apis({}, {"THROTTLE_MESSAGES": "1/minute"})
        yield free.url, throttled.url


@pytest.fixture(scope="session")
async def played(urls: tuple[str, str]) -> Recorder:
    nodes = [Node(url) for url in urls]
    recorder = await play(*nodes)
    for node in nodes:
        await node.close()
    for frame in (
        _renamed(),
        encode_json(MemberPresence(conversation=UUID(int=1), user=UUID(int=10), online=True)),
        _told(),
        _announced(),
    ):
        recorder.frame(msgspec.json.decode(frame))
    for name in ("NotificationPage", "NotificationDecisions", "Attention"):
        view = msgspec.to_builtins(ANSWERS[name])
        recorder.view(name, view)
        if "items" in view:
            recorder.view(name.removesuffix("Page").removesuffix("s"), view["items"][0])
    return recorder


def _told() -> bytes:
    """A worker's notification; `tests/system/test_notifications.py` compares the list with what a socket receives."""
    [notification] = cast("NotificationPage", ANSWERS["NotificationPage"]).items
    return encode_json(notification_frame(notification))


def _announced() -> bytes:
    """What operators announce; `tests/system/test_broadcasts.py` compares it with what a socket receives."""
    moment = datetime(2026, 5, 4, 9, tzinfo=UTC)
    received = Announcement(id=UUID(int=44), title="Maintenance", text="Away from 22:00 UTC.", sent_at=moment)
    [frame] = payloads_of(broadcast_poller.broadcast_frame(received).wire)
    return frame


def _renamed() -> bytes:
    """`member.updated` follows from a rename by a task, as `presence` does by a clock: no answer waits for them."""
    moment = datetime(2026, 5, 4, 9, tzinfo=UTC)
    augusta = Person(id=UUID(int=10), first_name="Augusta", last_name="King")
    member = Member(user=augusta, role="admin", joined_at=moment, left_at=None, read_seq=2)
    change = view_change("member.updated", member, conversation=UUID(int=1), position=12, last_seq=2, edited=12)
    return encode_json(change_frame(change))


def golden() -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(GOLDEN.glob("*.json"))}


def recorded(played: Recorder) -> dict[str, str]:
    frames = {f"frame.{name}.json": text for name, text in played.frames.items()}
    return frames | {f"view.{name}.json": text for name, text in played.views.items()}


def test_the_wire_equals_the_golden_files(played: Recorder) -> None:
    if os.environ.get("WRITE_GOLDEN") == "yes":
        for file in GOLDEN.glob("*.json"):
            file.unlink()
        for name, text in recorded(played).items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    frozen, now = golden(), recorded(played)
    assert now.keys() == frozen.keys()
    for name, text in now.items():
        assert text == frozen[name], f"{name} is not what clients know: see the head of this file"


def test_every_sent_frame_has_a_golden_file() -> None:
    assert {f"frame.{kind}.json" for kind in sent()} - golden().keys() == set()


def test_every_view_has_a_golden_file_with_its_fields_in_order() -> None:
    kinds = {
        name: kind
        for name, kind in vars(schemas).items()
        if isinstance(kind, type) and issubclass(kind, schemas.View) and name not in NOT_SENT
    } | {"Problem": Problem}
    files = golden()
    for name, kind in kinds.items():
        frozen = msgspec.json.decode(files[f"view.{name}.json"])
        assert list(frozen) == list(kind.__struct_encode_fields__), name


def test_a_durable_frame_carries_its_position() -> None:
    for kind in get_args(ChangeType):
        frame = msgspec.json.decode(golden()[f"frame.{kind}.json"])
        assert list(frame) == ["type", "conversation", "position", "prev", "data"], kind
        assert frame["type"] == kind
        assert frame["prev"] == (0 if kind == "conversation.created" else frame["position"] - 1)


def test_golden_files_contain_no_value_that_changes_between_runs() -> None:
    for name, text in golden().items():
        assert "@" not in text.replace("ada@example.org", ""), name
        assert "eyJ" not in text, name
