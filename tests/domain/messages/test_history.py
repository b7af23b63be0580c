"""A page is bounded in bytes: with long messages it has fewer items and says that more follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.messages import history
from app.domain.messages.history import PAGE_BYTES, EncodedMessage, fitted
from app.settings import Settings
from tests.support.web import API, Client, Someone, join, running

MESSAGES = 60
LONGEST = "\x01" * 8_000
"""Six bytes each, as JSON."""

MOST_FIT = PAGE_BYTES // (6 * len(LONGEST))


class Room:
    def __init__(self, client: Client, ada: Someone, path: str) -> None:
        self.client, self.ada, self.path = client, ada, path

    async def get(self, path: str, **requested: int) -> dict[str, Any]:
        answer = await self.client.get(f"{self.path}/{path}/", params=requested, headers=self.ada.headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < PAGE_BYTES + 1_000
        page: dict[str, Any] = answer.json()
        return page

    async def seqs(self, **requested: int) -> tuple[list[int], bool]:
        page = await self.get("messages", **requested)
        return [item["seq"] for item in page["items"]], page["has_more"]


@pytest.fixture(scope="module")
async def room(settings: Settings) -> AsyncIterator[Room]:
    """Sixty messages, each as long as one may be."""
    async with running(settings) as client:
        ada = await join(client)
        made = await client.post(f"{API}/conversations/", json={"name": "Room"}, headers=ada.headers)
        path = f"{API}/conversations/{made.json()['id']}"
        for _ in range(MESSAGES):
            body = {"message_type": "text", "text": LONGEST}
            sent = await client.post(f"{path}/messages/", json=body, headers=ada.headers)
            assert sent.status_code == 201, sent.text
        yield Room(client, ada, path)


@pytest.mark.parametrize("limit", [50, 500])
async def test_the_newest_page_keeps_the_newest(room: Room, limit: int) -> None:
    seqs, has_more = await room.seqs(limit=limit)
    assert has_more
    assert MOST_FIT - 2 <= len(seqs) <= MOST_FIT
    assert seqs == list(range(MESSAGES - len(seqs) + 1, MESSAGES + 1))


@pytest.mark.parametrize("limit", [50, 500])
async def test_a_page_after_a_seq_keeps_those_that_follow_it(room: Room, limit: int) -> None:
    seqs, has_more = await room.seqs(after=5, limit=limit)
    assert has_more
    assert seqs == list(range(6, 6 + len(seqs)))


@pytest.mark.parametrize("limit", [50, 500])
async def test_a_page_around_a_seq_keeps_its_neighbours(room: Room, limit: int) -> None:
    seqs, has_more = await room.seqs(around=30, limit=limit)
    assert has_more
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert abs((seqs[0] + seqs[-1]) // 2 - 30) <= 1


async def test_walking_back_skips_and_repeats_nothing(room: Room) -> None:
    found, has_more = await room.seqs(limit=500)
    while has_more:
        seqs, has_more = await room.seqs(before=found[0], limit=500)
        found = seqs + found
    assert found == list(range(1, MESSAGES + 1))


async def test_following_the_changes_skips_and_repeats_nothing(room: Room) -> None:
    found: list[int] = []
    position, complete = 0, False
    while not complete:
        page = await room.get("changes", after=position, limit=100)
        found += [item["data"]["seq"] for item in page["items"] if item["type"] == "message.created"]
        position, complete = page["position"], page["complete"]
    assert found == list(range(1, MESSAGES + 1))


async def test_short_messages_come_all_together(settings: Settings) -> None:
    async with running(settings) as client:
        ada = await join(client)
        made = await client.post(f"{API}/conversations/", json={"name": "Room"}, headers=ada.headers)
        room = Room(client, ada, f"{API}/conversations/{made.json()['id']}")
        for _ in range(55):
            body = {"message_type": "text", "text": "hello"}
            await client.post(f"{room.path}/messages/", json=body, headers=ada.headers)
        assert await room.seqs(limit=500) == (list(range(1, 56)), False)


def test_one_message_is_never_too_long_for_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_BYTES", 10)
    entries: list[EncodedMessage] = [(seq, seq, b"x" * 100) for seq in range(5, 9)]
    assert fitted(entries, 6) == entries[1:2]
    assert fitted(entries, 1) == entries[:1]
    assert fitted(entries, 99) == entries[-1:]
    assert fitted([], 1) == []
