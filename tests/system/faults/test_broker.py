"""The broker is away for a moment, with two beats and two workers: each member is notified once, and no send waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.local.valkey import EmbeddedValkey
from app.settings import Settings
from tests.support.broker_outage import play
from tests.support.client import Node
from tests.support.mailbox import Mailboxes, mail_server
from tests.support.processes import Processes, processes
from tests.support.servers import TestPostgres, public_directory, worker_name

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]


@pytest.fixture
def valkey() -> Iterator[EmbeddedValkey]:
    with public_directory() as directory:
        own = EmbeddedValkey(directory / "valkey", options={"appendonly": "no"})
        own.start()
        yield own
        own.stop()


@pytest.fixture
def mailboxes() -> Iterator[tuple[Mailboxes, int]]:
    with mail_server() as found:
        yield found


@pytest.fixture
def started(
    postgres: TestPostgres, settings: Settings, valkey: EmbeddedValkey, mailboxes: tuple[Mailboxes, int]
) -> Iterator[Processes]:
    name = f"chat_{worker_name()}_outage"
    with public_directory() as directory, processes(directory, postgres.create(name), valkey.url) as found:
        found.environment |= {"SMTP_URL": f"smtp://127.0.0.1:{mailboxes[1]}", "NOTIFY_AFTER_SECONDS": "0"}
        yield found
    postgres.drop(name)


async def test_without_the_broker_no_send_waits_and_afterwards_each_member_is_notified_once(
    started: Processes, valkey: EmbeddedValkey, mailboxes: tuple[Mailboxes, int]
) -> None:
    node = Node(started.api().url)
    for _ in range(2):
        started.worker()
        started.beat()
    received = await play(node, valkey, mailboxes[0], seconds=6, members=4, hurried=True)
    await node.close()
    assert received.sends > 10
    assert received.slowest_ms < 2_000
    assert received.twice == []
