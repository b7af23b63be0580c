"""docs/limits.md: every limit names a test there is, every limit of `hello` stands in it, and its numbers are right."""

from __future__ import annotations

import re

from app.realtime import read_marks, unauthenticated_sockets
from app.realtime.connection import connection, frame_limits
from app.realtime.frames import client_frames
from app.realtime.frames.server_frames import SocketLimits
from app.realtime.hello import socket_limits
from app.server import websocket_protocol
from tests.docs.markers import ROOT

TEXT = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
SOCKETS = TEXT.split("## Sockets")[1].split("\n## ")[0]
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| what |")]


def test_every_limit_names_an_existing_test() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for path, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name


def test_every_limit_of_hello_is_documented() -> None:
    cells = [line.split("|")[2] for line in SOCKETS.splitlines() if line.startswith("| ")][1:]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert set(named) == set(SocketLimits.__struct_fields__)


def test_the_numbers_are_those_of_the_program() -> None:
    received = socket_limits()
    for number in (
        unauthenticated_sockets.MAX_UNAUTHENTICATED,
        connection.MAX_QUEUED_FRAMES,
        connection.MAX_REVOCATIONS,
        client_frames.MAX_RESUMED_CONVERSATIONS,
        client_frames.MAX_RESUMING_CONVERSATIONS,
        read_marks.MAX_WAITING_FRAMES,
        received.text_characters,
        received.resume_changes,
    ):
        assert f"{number:,}" in SOCKETS
    assert f"{unauthenticated_sockets.MAX_PER_ADDRESS} of one address" in SOCKETS
    assert f"8 KiB for each frame a second ({received.bytes_per_second // 1024} KiB)" in SOCKETS
    assert f"{received.typing_per_second} a second, {frame_limits.USER_BURST} at once" in SOCKETS
    assert f"{received.reads_per_second} a second, {frame_limits.USER_BURST} at once" in SOCKETS
    assert f"{received.unread_bytes // 1024} KiB" in SOCKETS
    assert (
        websocket_protocol.CLOSE_SECONDS,
        websocket_protocol.LINGER_SECONDS,
        websocket_protocol.REFUSED_SECONDS,
        websocket_protocol.SHUTDOWN_SECONDS,
        websocket_protocol.ADMISSION_SECONDS,
    ) == (10, 60, 3, 2, 10)
