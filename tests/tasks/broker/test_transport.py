"""A worker's channel to a broker that rejects writes for a while: it takes messages afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis

from app.local.valkey import EmbeddedValkey
from app.tasks.celery_app import make
from tests.support.servers import public_directory

HELD = 2
UNTYPED: Any = kombu


@pytest.fixture
def valkey() -> Iterator[EmbeddedValkey]:
    with public_directory() as directory:
        server = EmbeddedValkey(Path(directory) / "valkey")
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("answer", ["ack", "reject", "requeue"])
def test_a_message_that_redis_does_not_let_go_holds_no_place(valkey: EmbeddedValkey, answer: str) -> None:
    received: list[Any] = []
    broker: Any = make(valkey.url)
    with broker.connection_for_read() as connection, redis.Redis.from_url(valkey.url) as client:
        channel = connection.channel()
        queue = UNTYPED.Queue("some", channel=channel)
        producer = UNTYPED.Producer(channel)
        with UNTYPED.Consumer(channel, [queue], accept=["json"], on_message=received.append) as consumer:
            consumer.qos(prefetch_count=HELD)
            for number in range(2 * HELD):
                producer.publish(number, routing_key="some")
            while len(received) < HELD:
                connection.drain_events(timeout=5)
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.2)
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            for message in received:
                getattr(message, answer)()
            client.execute_command("REPLICAOF", "NO", "ONE")
            assert client.hlen("unacked") == HELD, "redelivered later"
            while len(received) < 2 * HELD:
                connection.drain_events(timeout=5)
            assert [message.payload for message in received] == list(range(2 * HELD))
            for message in received[HELD:]:
                message.ack()
        assert client.hlen("unacked") == HELD
