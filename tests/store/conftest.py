"""The cast in the database, the events of each commit, a writer, and two nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.db import Database
from app.domain.rates import Rate
from app.redis.client import RedisClient
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateLimiter
from tests.support.nodes import node, nodes, running_nodes
from tests.support.scene import database, received, scene

__all__ = ["database", "node", "nodes", "received", "running_nodes", "scene"]

PLENTY = {"messages": Rate(100_000, 60), "user": Rate(1_000_000, 86_400)}


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[RedisClient]:
    opened = RedisClient(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def writer(database: Database, redis_client: RedisClient) -> MessageWriter:
    return MessageWriter(database, RateLimiter(redis_client, PLENTY))
