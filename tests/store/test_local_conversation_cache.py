"""Remembered access of readers: trusted for a moment, and cleared by any event or poll that contradicts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from app.domain.auth import refresh
from app.domain.conversations import access, members
from app.domain.conversations.access import Access, MembershipKey
from app.domain.errors import ChatError, NotFound, Unauthenticated
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession
from app.store.local_conversation_cache import ConversationCache
from tests.support.nodes import Node, eventually
from tests.support.scene import Scene, set_up
from tests.support.statements import recorded_statements

Nodes = tuple[Node, Node]


@pytest.fixture
async def scene(nodes: Nodes) -> Scene:
    """With access tokens that hold."""
    found = await set_up(nodes[0].database)
    end = time.time() + 900
    people = {name: _until(getattr(found, name), end) for name in ("ada", "grace", "linus", "eve")}
    return msgspec.structs.replace(found, **people)


def _until(caller: Caller, end: float) -> Caller:
    return msgspec.structs.replace(caller, expires_at=end)


async def learn(node: Node, scene: Scene, *callers: Caller) -> None:
    for caller in callers:
        await node.live.access.query_head(scene.conversation, caller)
        assert node.live.access.cached_head(scene.conversation, caller) is not None


async def test_checked_access_is_remembered_and_a_message_moves_its_position(nodes: Nodes, scene: Scene) -> None:
    here, there = nodes
    await learn(here, scene, scene.ada, scene.linus)
    with recorded_statements(here.database) as statements:
        first = here.live.access.cached_head(scene.conversation, scene.linus)
    assert (statements, first) == ([], await there.live.access.query_head(scene.conversation, scene.linus))
    own = await here.send(scene.conversation, scene.ada)
    mine = here.live.access.cached_head(scene.conversation, scene.ada)
    assert mine is not None
    assert (mine.last_seq, mine.position) == (own.seq, own.position)
    other = await there.send(scene.conversation, scene.grace)
    await eventually(lambda: _last_seq(here, scene, scene.ada) == other.seq)
    assert here.live.access.cached_head(scene.conversation, scene.linus) is not None


async def test_access_is_remembered_only_for_the_checked_login_and_conversation(nodes: Nodes, scene: Scene) -> None:
    here, _ = nodes
    await learn(here, scene, scene.ada)
    access_ = here.live.access
    assert access_.cached_head(scene.conversation, scene.linus) is None
    with pytest.raises(NotFound):
        await access_.query_head(scene.conversation, scene.eve)
    assert access_.cached_head(scene.conversation, scene.eve) is None
    # Another user's login, one that was never checked, and an expired token.
    await learn(here, scene, scene.linus)
    for session in (scene.linus.session, scene.eve.session):
        borrowed = msgspec.structs.replace(scene.ada, session=session)
        assert access_.cached_head(scene.conversation, borrowed) is None
    assert access_.cached_head(scene.conversation, _until(scene.ada, time.time())) is None


async def test_a_removal_takes_effect_at_once_here_and_soon_in_other_processes(nodes: Nodes, scene: Scene) -> None:
    here, there = nodes
    await learn(here, scene, scene.linus)
    await learn(there, scene, scene.linus)
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    assert here.live.access.cached_head(scene.conversation, scene.linus) is None
    await eventually(lambda: there.live.access.cached_head(scene.conversation, scene.linus) is None)
    with pytest.raises(NotFound):
        await there.live.access.query_head(scene.conversation, scene.linus)


async def test_the_poll_finds_a_removal_whose_event_was_lost(nodes: Nodes, scene: Scene) -> None:
    here, there = nodes
    await learn(there, scene, scene.linus)
    here.hand_over = here.killed
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    await there.live.poller.poll()
    assert there.live.access.cached_head(scene.conversation, scene.linus) is None


async def test_a_message_after_a_lost_removal_clears_the_remembered_access(
    nodes: Nodes, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = nodes
    await learn(there, scene, scene.linus, scene.ada)
    monkeypatch.setattr(there.live.hub, "reads", _blind(there.live.hub.reads))
    here.hand_over = here.killed
    await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    here.hand_over = here.bus.publish
    await here.send(scene.conversation, scene.ada)
    await eventually(lambda: there.live.access.cached_head(scene.conversation, scene.linus) is None)


def _blind(true: Any) -> Any:
    """Reads in which nothing has moved."""

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return getattr(true, name)

        async def recent_changes(self, *arguments: Any) -> Any:
            return msgspec.structs.replace(await true.recent_changes(*arguments), moved=[])

    return Blind()


@pytest.mark.parametrize("heard", [True, False])
async def test_access_of_an_ended_login_is_forgotten(nodes: Nodes, scene: Scene, heard: bool) -> None:
    here, there = nodes
    await learn(there, scene, scene.grace)
    here.hand_over = here.bus.publish if heard else here.killed
    await here.do(refresh.end_logins, LoginSession.user_id == scene.grace.user)
    if not heard:
        await there.live.poller.poll()
    await eventually(lambda: there.live.access.cached_head(scene.conversation, scene.grace) is None)
    with pytest.raises(Unauthenticated):
        await there.live.access.query_head(scene.conversation, scene.grace)


async def test_remembered_access_counts_only_while_poll_and_bus_are_trusted(nodes: Nodes, scene: Scene) -> None:
    here, _ = nodes
    await learn(here, scene, scene.ada)
    here.live.hub.polled_at = time.monotonic() - 2.1
    assert here.live.access.cached_head(scene.conversation, scene.ada) is None
    await here.live.poller.poll()
    assert here.live.access.cached_head(scene.conversation, scene.ada) is not None
    here.bus.backend.connected = False
    assert here.live.access.cached_head(scene.conversation, scene.ada) is None
    here.bus.backend.connected = True


@pytest.mark.parametrize("what", ["removed", "logged out"])
async def test_an_access_check_older_than_a_concurrent_change_is_not_remembered(
    nodes: Nodes, scene: Scene, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    here, _ = nodes
    read, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(reader: Any, pairs: Sequence[MembershipKey]) -> list[Access | ChatError]:
        found = await access.check_access_many(reader, pairs)
        read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr("app.store.local_conversation_cache.check_access_many", slowly)
    question = here.live.access.query_head(scene.conversation, scene.linus)
    await read.wait()
    if what == "removed":
        await here.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    else:
        await here.do(refresh.end_logins, LoginSession.user_id == scene.linus.user)
    go_on.set()
    await question
    assert here.live.access.cached_head(scene.conversation, scene.linus) is None


async def test_an_access_check_ahead_of_the_received_events_clears_the_conversation(nodes: Nodes, scene: Scene) -> None:
    here, there = nodes
    deaf = ConversationCache(here.database, trusted=_always)
    await deaf.query_head(scene.conversation, scene.linus)
    await there.do(members.remove, scene.conversation, scene.ada.user, scene.linus.user)
    assert deaf.cached_head(scene.conversation, scene.linus) is not None
    await deaf.query_head(scene.conversation, scene.ada)
    assert deaf.cached_head(scene.conversation, scene.linus) is None
    assert deaf.cached_head(scene.conversation, scene.ada) is not None


async def test_the_number_of_remembered_readers_is_bounded(nodes: Nodes) -> None:
    here, _ = nodes
    small = ConversationCache(here.database, trusted=_always, max_readers=3)
    scenes = [await set_up(here.database) for _ in range(3)]
    callers = [_until(caller, time.time() + 900) for scene in scenes for caller in (scene.ada, scene.linus)]
    rooms = [scene.conversation for scene in scenes for _ in range(2)]
    for room, caller in zip(rooms, callers, strict=True):
        await small.query_head(room, caller)
    known = [small.cached_head(room, caller) is not None for room, caller in zip(rooms, callers, strict=True)]
    assert known == [False, False, False, False, True, True]


def _always() -> bool:
    return True


def _last_seq(node: Node, scene: Scene, caller: Caller) -> int | None:
    known = node.live.access.cached_head(scene.conversation, caller)
    return None if known is None else known.last_seq
