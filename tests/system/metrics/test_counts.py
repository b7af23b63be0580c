"""What happens is counted once: messages and their commits, frames, sockets by close code, polls, repairs, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from app.domain.errors import Throttled
from app.domain.rates import Rate
from app.realtime.connection.socket_metrics import tally
from app.telemetry import process_sampler
from tests.support.drafts import draft
from tests.support.nodes import Node, eventually
from tests.support.scene import person, set_up


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Since:
    """How much a metric has grown since this object was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._value: Callable[[], float] = lambda: value(name, **labels)
        self._before = self._value()

    @property
    def grown(self) -> float:
        return self._value() - self._before


async def test_a_message_is_counted_with_its_batch_and_commit_and_a_retry_is_not(node: Node) -> None:
    scene = await set_up(node.database)
    accepted, batches = Since("chat_messages_accepted_total"), Since("chat_message_batch_size_count")
    sends = Since("chat_message_batch_size_sum")
    commits = Since("chat_commits_total", outcome="committed")
    published = Since("chat_bus_publishes_total", outcome="published")
    for _ in range(2):
        await node.writer.send(draft(scene.conversation, scene.ada, "text", "hello", client_id="same"))
    assert (accepted.grown, batches.grown, sends.grown) == (1, 2, 2)
    assert commits.grown == 2
    assert published.grown == 1, "a retry stores nothing"
    before = sends.grown
    await asyncio.gather(*[node.send(scene.conversation, scene.ada) for _ in range(5)])
    assert (accepted.grown, sends.grown - before) == (6, 5)


async def test_a_socket_is_counted_while_it_is_open_and_by_the_code_of_its_close(node: Node) -> None:
    ada = await person(node.database, "Ada")
    start, opened = value("chat_sockets_open"), Since("chat_sockets_opened_total")
    codes = {code: Since("chat_sockets_closed_total", code=code) for code in ("1000", "4401", "other")}
    first, second, third = [await node.join(ada) for _ in range(3)]
    assert value("chat_sockets_open") == start + 3
    assert opened.grown == 3
    await first.socket.close(1000)
    await second.socket.close(4999)  # a client may send any code
    node.live.hub.registry.end_logins((ada.session,), refused=False)
    assert await third.closed() == 4401
    await eventually(lambda: value("chat_sockets_open") == start)
    assert {code: since.grown for code, since in codes.items()} == {"1000": 1, "4401": 1, "other": 1}
    refused = Since("chat_sockets_refused_total", code="4401")
    assert await (await node.open()).closed() == 4401
    assert refused.grown == 1
    assert opened.grown == 3


async def test_frames_are_counted_for_each_socket_they_are_written_to(node: Node) -> None:
    scene = await set_up(node.database)
    listeners = [await node.join(scene.ada), await node.join(scene.linus)]
    tally.flush()
    frames = Since("chat_frames_written_total")
    before = sum(len(one.frames) for one in listeners)
    for _ in range(3):
        await node.send(scene.conversation, scene.ada)
    for one in listeners:
        await eventually(lambda one=one: len(one.received("message.created")) == 3)  # type: ignore[misc]
        await one.quiet("nothing")
    tally.flush()
    assert frames.grown == sum(len(one.frames) for one in listeners) - before
    assert frames.grown >= 8


async def test_polls_and_repairs_are_counted(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    scene = await set_up(here.database)
    linus = await there.join(scene.linus)
    polls, repairs = Since("chat_polls_total", outcome="done"), Since("chat_gap_repairs_total", outcome="repaired")
    here.hand_over = here.mute
    await here.send(scene.conversation, scene.ada, "lost")
    await linus.next("message.created")
    await eventually(lambda: repairs.grown >= 1)
    assert polls.grown >= 1


async def test_a_refusal_is_counted_under_its_policy(node: Node) -> None:
    scene = await set_up(node.database)
    node.throttles.rates["messages"] = Rate(1, 60)
    refusals, others = (
        Since("chat_throttle_refusals_total", policy="messages"),
        Since("chat_throttle_refusals_total", policy="user"),
    )
    await node.send(scene.conversation, scene.linus)
    for _ in range(2):
        with pytest.raises(Throttled):
            await node.send(scene.conversation, scene.linus)
    assert (refusals.grown, others.grown) == (2, 0)


async def test_a_pool_shows_its_connections_in_use_and_those_who_wait(node: Node) -> None:
    pools = {"tested": node.database}

    def pool(figure: str) -> float:
        process_sampler.sample(pools)
        return value(f"chat_database_pool_{figure}", pool="tested")

    assert (pool("size"), pool("in_use"), pool("waiting")) == (5, 0, 0)
    timeouts, release = Since("chat_database_pool_timeouts_total"), asyncio.Event()

    async def hold() -> None:
        async with node.database.read_only():
            await release.wait()

    holding = [asyncio.create_task(hold()) for _ in range(7)]
    await eventually(lambda: pool("waiting") == 2)  # the others have theirs, once each is open
    assert pool("in_use") == 5
    assert timeouts.grown == 0
    release.set()
    await asyncio.gather(*holding)
    assert (pool("in_use"), pool("waiting")) == (0, 0)
