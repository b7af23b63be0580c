"""Pages that the cache does not hold are read from Postgres a few at a time, however many are requested at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.domain.messages.history import read_span
from app.store import page_reader
from app.store.page_reader import CONCURRENT_READS
from tests.support.scene import set_up
from tests.system.costs.conftest import Chat

REQUESTS = 3 * CONCURRENT_READS


async def test_few_pages_are_read_from_postgres_at_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await set_up(chat.runtime.database)
    for _ in range(3):
        await chat.send(scene.conversation, scene.ada)
    read, reading, most = read_span, 0, 0

    async def counted(*wanted: Any) -> Any:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            await asyncio.sleep(0.05)
            return await read(*wanted)
        finally:
            reading -= 1

    monkeypatch.setattr(page_reader, "read_span", counted)
    await chat.runtime.redis_client.call(lambda redis: redis.flushdb())
    requests = [chat.ask(scene.ada, "GET", f"{scene.conversation}/messages/?limit=2") for _ in range(REQUESTS)]
    pages = await asyncio.gather(*requests)
    assert [len(page["items"]) for page in pages] == [2] * REQUESTS
    assert most == CONCURRENT_READS
