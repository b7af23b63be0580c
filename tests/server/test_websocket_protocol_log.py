"""The line of a socket names its user and the code it was closed with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from app.realtime.connection.frame_limits import FRAMES_PER_SECOND
from app.telemetry import request_log
from tests.support.nodes import Node, eventually
from tests.support.raw_sockets import CLOSE, PING, frame, head, raw_socket
from tests.support.scene import person

NORMAL = (1000).to_bytes(2)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Returns the lines of the sockets that have ended."""
    caplog.set_level(logging.INFO, logger="chat.requests")

    def written() -> list[dict[str, Any]]:
        request_log.flush()
        records: list[Any] = caplog.records
        return [line for record in records for line in getattr(record, "request_lines", ())]

    return written


@pytest.mark.parametrize(
    ("sent", "status"), [(frame(CLOSE, NORMAL), 1000), (frame(PING) * 20 * FRAMES_PER_SECOND, 4429), (b"", 1006)]
)
async def test_a_socket_is_logged_with_its_user_and_the_first_close_code(
    node: Node, lines: Callable[[], list[dict[str, Any]]], sent: bytes, status: int
) -> None:
    ada = await person(node.database, "Ada")
    async with raw_socket(node.port) as client:
        assert "101" in await client.shake(head(node.access(ada)))
        await eventually(lambda: [one for one in node.sockets(ada) if one.settled])
        await client.send(sent)
        if sent:
            await client.read_to_the_end()
    (line,) = await eventually(lines)
    assert (line["method"], line["path"]) == ("WEBSOCKET", "/ws/conversations")
    assert (line["status"], line["user"]) == (status, str(ada.user))


async def test_a_refused_socket_is_logged_with_the_reason_and_without_a_user(
    node: Node, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    async with raw_socket(node.port) as client:
        assert "101" in await client.shake(head())
        await client.read(CLOSE)
    (line,) = await eventually(lines)
    assert (line["status"], line["user"]) == (4401, None)
